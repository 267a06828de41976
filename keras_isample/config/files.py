"""Configuration files."""

import json
import tomllib
from pathlib import Path
from typing import Any

from keras_isample.config.config import FIELDS
from keras_isample.config.settings import value_of
from keras_isample.errors import InputError
from keras_isample.registries.unknown import accept_unknown


def read_settings(
    path: str | Path, *, of_run: bool = False
) -> tuple[dict[str, Any], str | None]:
    """Reads a configuration file, `.toml` or `.json`.

    Tables only group: `[sampling] epsilon = 0` and `epsilon = 0` mean the
    same, and hyphens may stand for underscores. Values may be written as texts,
    too, as on the command line and in files of older versions.

    Args:
        path: The file.
        of_run: Whether it is the file of a run, which may name a network or a
            loss that only the program knew that trained it.

    Returns:
        Settings as a flat dictionary, each with a value of its type, and the
        data set's path if it is given.

    Raises:
        InputError: If the file cannot be read, or a setting is unknown or out
            of range.
    """
    path = Path(path)
    try:
        # Some editors begin a file with a byte-order mark.
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
        else:
            content = tomllib.loads(text)
        if not isinstance(content, dict):
            raise ValueError("no table of settings")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            path,
            f"is not a readable configuration ({error})",
            "Give a .toml or .json file, such as a run's config.toml",
        ) from error
    flat = {}
    for key, value in content.items():
        entries = value.items() if isinstance(value, dict) else [(key, value)]
        flat |= {k.replace("-", "_"): v for k, v in entries}
    data_path = flat.pop("data", None)
    if not isinstance(data_path, str | None):
        raise InputError(
            path,
            f"data is {data_path!r}, not a path",
            'Write it like data = "scans/"',
        )
    if of_run:
        accept_unknown(flat)
    return {k: _value(path, k, v) for k, v in flat.items()}, data_path


def _value(path, key, value):
    """The value of a setting, converted."""
    if key not in FIELDS:
        raise InputError(
            path,
            f"unknown setting {key!r}",
            "See keras-isample fit --help-all for the settings",
        )
    entry = FIELDS[key]
    try:
        if entry.type == tuple[str, ...]:
            # A name may be a number.
            value = _names(value)
        return value_of(entry, value)
    except InputError as error:
        problem = f"{key} {error.problem}"
        raise InputError(path, problem, error.cure) from error


def _names(value):
    if type(value) is int:
        return str(value)
    if isinstance(value, list):
        return [str(part) if type(part) is int else part for part in value]
    return value
