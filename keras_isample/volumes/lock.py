"""Locks, so that two processes do not write to the same folder."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from keras_isample.errors import InputError

_PAUSE = 0.1
"""Seconds between two attempts."""


class Busy(InputError):
    """Another process works on the same."""


@contextlib.contextmanager
def held(path: str | os.PathLike, *, patience: float = 0.0) -> Iterator[None]:
    """Holds a lock file while the block runs, and removes it afterwards.

    The system frees it when its process ends, however that ends. The file
    says which process and machine hold it. Where the file system has no
    locks, nothing is held.

    Args:
        path: The lock file. Its folder must exist.
        patience: Seconds to wait for another process.

    Raises:
        Busy: If another process, or this one, still holds it then.
    """
    path = Path(path)
    limit = time.monotonic() + patience
    while (file := _taken(path)) is None:
        if time.monotonic() > limit:
            raise Busy(
                path.parent,
                f"process {_owner(path)} is working on it",
                "Wait for it, or end it",
            )
        time.sleep(_PAUSE)
    with file:
        file.truncate(0)
        file.write(f"{os.getpid()} {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _taken(path):
    """The locked file, or `None` if somebody else has it."""
    file = open(path, "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:
        # A file system without locks.
        return file
    # Whoever held it may have removed it between our two calls.
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            return file
    file.close()
    return None


def _owner(path):
    try:
        pid, host = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "of somebody else"
    return f"{pid} on {host}"
