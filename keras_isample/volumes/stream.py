"""The bytes of a scan's file, read once from its first to its very last.

Gzip is recognized by its magic bytes, not by the name. A gzip stream is
followed to its end, because its checksum stands there: a reader that stops at
the last voxel takes a damaged file for a good one.
"""

import contextlib
import os
import stat
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from keras_isample.errors import InputError

COPY_AGAIN = "Copy or download it again"
# Deflate can not expand further: 258 bytes from two bits.
MAX_EXPANSION = 1032

_GZIP_MAGIC = b"\x1f\x8b"
# So small that even a decompression bomb unpacks to 64 MiB at a time.
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Stream:
    """An open file.

    Args:
        pieces: The bytes, decompressed, in order.
        file_bytes: Size of the file.
        compressed: Whether the file is a gzip stream.
    """

    pieces: Iterator[bytes]
    file_bytes: int
    compressed: bool

    @property
    def most_bytes(self) -> int:
        """The most that `pieces` can hold together."""
        return self.file_bytes * (MAX_EXPANSION if self.compressed else 1)


@contextlib.contextmanager
def open_stream(
    path: str | os.PathLike, warn: Callable[[str], None]
) -> Iterator[Stream]:
    """Opens a file, decompressing it if it is a gzip stream.

    Args:
        path: The file.
        warn: Called with one line for each oddity that can be lived with.

    Raises:
        InputError: If the file is missing, empty or cannot be opened; while
            its pieces are read, if it is damaged or truncated, or if the
            system fails to read it.
    """
    try:
        with _open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(_PIECE_BYTES)
            if not first:
                raise InputError(path, "is empty", COPY_AGAIN)
            compressed = first.startswith(_GZIP_MAGIC)
            decode = _gunzip if compressed else _plain
            pieces = decode(first, file, path, warn)
            yield Stream(pieces, size, compressed)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            path, f"cannot be read: {reason}", "Check the disk and the rights"
        ) from error


def _open_file(path) -> BinaryIO:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        if Path(path).is_symlink():
            raise InputError(
                path,
                "is a link to a file that is not there",
                "Fetch that file, for example with `git annex get`",
            ) from error
        raise InputError(
            path, "does not exist", "Check the path for a slip"
        ) from error
    except ValueError as error:
        raise InputError(
            path, f"is not a path: {error}", "Check the path for a slip"
        ) from error
    if stat.S_ISDIR(mode):
        raise InputError(
            path,
            "is a folder, not a file",
            "Name one .nii, .nii.gz, .mgh, .mgz, .png or .npy file",
        )
    if not stat.S_ISREG(mode):
        raise InputError(
            path, "is not a regular file", "Save it to a file first"
        )
    try:
        return open(path, "rb")
    except PermissionError as error:
        raise InputError(
            path,
            "may not be read: permission denied",
            "Ask its owner, or change its rights with `chmod`",
        ) from error


def _plain(first, file, path, warn):
    while first:
        yield first
        first = file.read(_PIECE_BYTES)


def _gunzip(data, file, path, warn):
    """Decompresses every member, each to its checksum."""
    while data.startswith(_GZIP_MAGIC):
        decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not decoder.eof:
            if not data:
                raise InputError(
                    path, "is truncated: its gzip stream has no end", COPY_AGAIN
                )
            try:
                piece = decoder.decompress(data)
            except zlib.error as error:
                reason = str(error).rpartition(": ")[2]
                raise InputError(
                    path, f"is damaged: {reason} in its gzip stream", COPY_AGAIN
                ) from error
            if piece:
                yield piece
            data = b"" if decoder.eof else file.read(_PIECE_BYTES)
        data = _after_member(decoder.unused_data, file)
    if data:
        warn(
            f"{path}: what follows the end of its gzip stream is not gzip; "
            "it is ignored."
        )


def _after_member(data, file):
    """What follows a gzip member, past padding by zeros."""
    while True:
        data = data.lstrip(b"\0")
        if len(data) >= len(_GZIP_MAGIC):
            return data
        more = file.read(_PIECE_BYTES)
        if not more:
            return data
        data += more
