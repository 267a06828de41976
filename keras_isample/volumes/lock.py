"""Locks, so that two processes do not write to the same folder.

Some network file systems have none. There the work is done without, which is
said once: a lock that is only a file would outlive a killed process, and keep
its run from being resumed.
"""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from keras_isample.errors import InputError

log = logging.getLogger(__name__)

_PAUSE = 0.1
"""Seconds between two attempts."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_without_locks = set()
"""Folders of which that was said."""

_saying = threading.Lock()


class Busy(InputError):
    """Another process works on the same."""


@contextlib.contextmanager
def held(path: str | os.PathLike, *, patience: float = 0.0) -> Iterator[bool]:
    """Holds a lock file while the block runs, and removes it afterwards.

    The system frees it when its process ends, however that ends. The file
    says which process and machine hold it.

    Args:
        path: The lock file. Its folder must exist.
        patience: Seconds to wait for another process.

    Yields:
        Whether it is held; not where the file system has no locks, which is
        said once for each folder.

    Raises:
        Busy: If another process, or this one, still holds it then.
    """
    path = Path(path)
    limit = time.monotonic() + patience
    while True:
        file = open(path, "a+", encoding="utf-8")
        try:
            locked = _lock(file)
            # Whoever held it may have removed it between our two calls.
            if locked is not None and _is_at(file, path):
                break
            file.close()
            time.sleep(0.01)
        except BlockingIOError:
            file.close()
            if time.monotonic() >= limit:
                raise Busy(
                    path.parent,
                    f"process {_owner(path)} is working on it",
                    "Wait for it, or end it",
                ) from None
            time.sleep(_PAUSE)
        except BaseException:
            file.close()
            raise
    with file:
        if not locked:
            _say_without_locks(path.parent)
        _write_owner(file)
        try:
            yield locked
        finally:
            if _is_at(file, path):
                path.unlink(missing_ok=True)


def _lock(file):
    """Locks an open file.

    Returns:
        True; False where there are no locks; `None` if the file was removed.

    Raises:
        BlockingIOError: If somebody else has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems say EACCES.
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise BlockingIOError from error
        if error.errno == errno.ESTALE:
            return None
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _say_without_locks(folder):
    with _saying:
        if folder not in _without_locks:
            _without_locks.add(folder)
            log.warning(
                "%s: the file system has no locks; make sure that no two "
                "programs write to this folder at the same time",
                folder,
            )


def _write_owner(file):
    """Says in the file who holds it, unless the disk is full."""
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        text = f"{os.getpid()} {socket.gethostname()}"
        os.write(file.fileno(), text.encode())


def _is_at(file, path):
    """Whether an open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError as error:
        # Network file systems say ESTALE of a file that was removed.
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return False
        raise


def _owner(path):
    try:
        pid, host = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "of somebody else"
    return f"{pid} on {host}"
