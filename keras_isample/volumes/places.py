"""Whether two paths lead to one file or folder, however they are written."""

import os
from collections.abc import Iterable
from pathlib import Path


class KnownFiles:
    """Files that are recognized under any of their names.

    A file is known by where its path leads (through symbolic links, `..` and
    relative paths) and by its inode, which all its hard links share.

    Args:
        files: Paths; those that do not exist are known by their path.
    """

    def __init__(self, files: Iterable[str | os.PathLike]):
        self._files = {}
        for file in files:
            for key in _keys(file):
                self._files.setdefault(key, Path(file))

    def find(self, path: str | os.PathLike) -> Path | None:
        """The known file that a path leads to, `None` for any other."""
        return next(
            (self._files[key] for key in _keys(path) if key in self._files),
            None,
        )


def is_same_place(one: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Whether two paths lead to one file or folder, which need not exist."""
    return not set(_keys(one)).isdisjoint(_keys(other))


def is_within(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Whether a path leads to a folder or into it; neither need exist."""
    path = Path(path).resolve()
    return any(is_same_place(place, folder) for place in (path, *path.parents))


def _keys(path):
    """What all the names of a file have in common."""
    resolved = Path(path).resolve()
    keys = [str(resolved)]
    try:
        facts = os.stat(resolved)
    except OSError:
        return keys
    return [*keys, (facts.st_dev, facts.st_ino)]
