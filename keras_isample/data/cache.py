"""The cache folder, and how a file is known to be the same as before."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from keras_isample.errors import InputError


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/keras-isample`, by default in `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras-isample"


def stamp(path: Path) -> list:
    """Path, size, times and inode: a file that has them all is the same.

    Raises:
        InputError: If the file does not exist.
    """
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        raise InputError(
            path, "does not exist", "Add the file or leave the case out"
        ) from None
    return [
        str(path.resolve()),
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
        facts.st_ino,
    ]


def hash_of(*facts: Any) -> str:
    """Hash of JSON-compatible facts, fit for a file name."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Hash of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
