"""Files that are whole or not there, and whose space is theirs beforehand.

A file is written beside its place and moved there. A file that is mapped for
writing gets its space on the disk before it is mapped: where the disk is full,
writing to memory that has no space behind it ends the process (SIGBUS).
"""

import contextlib
import errno
import math
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from keras_isample.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_SAYS_FULL = re.compile(
    "|".join(os.strerror(number) for number in _FULL)
    # NumPy's `tofile`, and HDF5.
    + r"|\d+ requested and \d+ written|errno = (?:28|122|27)\b"
)

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""What file systems say that reserve no space."""

_ZEROS = bytes(1 << 20)

_CURE = "Free some space there, or choose another place"


class DiskFull(InputError):
    """There is no room for a file."""


@contextlib.contextmanager
def naming(
    path: str | os.PathLike, size: int | None = None, cure: str = _CURE
) -> Iterator[None]:
    """Names the file in errors of the block that name none.

    Args:
        path: The file or folder that the block writes to.
        size: Bytes that it takes, if that is known.
        cure: What to do where there is no room for it.

    Raises:
        DiskFull: If there is no room for the file, whoever found that out
            (NumPy, Keras and TensorFlow each say it in their own way).
        OSError: Any other error of the system, with a file name.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = reason_of_full_disk(error)
        if reason is not None:
            needs = "" if size is None else f"needs {_megabytes(size)}: "
            raise DiskFull(
                path, f"{needs}{reason}{_free_space(path)}", cure
            ) from error
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def reason_of_full_disk(error: BaseException) -> str | None:
    """Why there is no room for a file.

    Returns:
        The words of the system; `None` if the error is another one.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno in _FULL else None
    found = _SAYS_FULL.search(str(error))
    if found is None:
        return None
    texts = [os.strerror(number) for number in _FULL]
    return found[0] if found[0] in texts else texts[0]


def reserve(file: BinaryIO, start: int, size: int) -> None:
    """Appends zeros to an open file, and gives them their space on the disk.

    Where the file system reserves none, they are written.

    Args:
        file: A file that is open for writing.
        start: Bytes that it has.
        size: Bytes to append.

    Raises:
        OSError: If there is no room.
    """
    if not size:
        return
    try:
        os.posix_fallocate(file.fileno(), start, size)
        return
    except AttributeError:
        pass  # Not every system has it.
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    file.seek(start)
    for first in range(0, size, len(_ZEROS)):
        file.write(_ZEROS[: size - first])
    file.flush()


def new_mapped_file(
    path: str | os.PathLike, dtype: DTypeLike, shape: tuple[int, ...]
) -> np.memmap:
    """An array of zeros in a new `.npy` file, mapped for writing.

    Args:
        path: The file, which is replaced.
        dtype: Type of the elements.
        shape: Size along each axis.

    Raises:
        DiskFull: If there is no room; then there is no file, either.
    """
    path, dtype = Path(path), np.dtype(dtype)
    shape = tuple(int(n) for n in shape)
    size = dtype.itemsize * math.prod(shape)
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with naming(path, size):
        try:
            with open(path, "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                start = file.tell()
                reserve(file, start, size)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return np.memmap(path, dtype, "r+", offset=start, shape=shape)


def new_mapped_array(dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """An array of zeros in a temporary file, which goes when the array does.

    Args:
        dtype: Type of the elements.
        shape: Size along each axis.

    Raises:
        DiskFull: If there is no room.
    """
    dtype, shape = np.dtype(dtype), tuple(int(n) for n in shape)
    size = dtype.itemsize * math.prod(shape)
    cure = "Free some space there, or name another folder in TMPDIR"
    with (
        naming(tempfile.gettempdir(), size, cure),
        tempfile.TemporaryFile() as file,
    ):
        reserve(file, 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)


@contextlib.contextmanager
def written_whole(
    path: str | os.PathLike, size: int | None = None
) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well.

    The folder of `path` must exist. The name keeps its ending, for writers
    that look at it. Whoever is killed in the middle leaves the older file
    untouched.

    Args:
        path: The file.
        size: About how many bytes it takes, if that is known.

    Raises:
        DiskFull: If there is no room for it.
    """
    path = Path(path)
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    with naming(path, size):
        try:
            yield beside
            sync(beside)
            os.replace(beside, path)
        finally:
            # Its space counts as free.
            beside.unlink(missing_ok=True)
        sync(path.parent)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file whole, making its folder, replacing an older one."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Removes what killed writers left beside their files in a folder.

    Only where nobody else is writing.
    """
    for path in Path(folder).glob(".*"):
        if re.match(r"\.[0-9a-f]{8}-", path.name) and path.is_file():
            path.unlink()


def sync(path: Path) -> None:
    """Asks the system to put a file or a folder's entries on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_space(path):
    """What is free on a disk, in words."""
    folder = Path(path).absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        return f" ({_megabytes(shutil.disk_usage(folder).free)} free)"
    except OSError:
        return ""


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"
