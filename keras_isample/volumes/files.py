"""Files that are whole or not there: written beside and moved into place."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well.

    The folder of `path` must exist. The name keeps its ending, for writers
    that look at it. Whoever is killed in the middle leaves the older file
    untouched.
    """
    path = Path(path)
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield beside
        sync(beside)
        os.replace(beside, path)
    finally:
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
