"""Configuration files."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from keras_isample.config.config import GROUPS
from keras_isample.errors import InputError


def read_settings(path: str | Path) -> tuple[dict[str, Any], str | None]:
    """Reads a configuration file, `.toml` or `.json`.

    Tables only group: `[sampling] epsilon = 0` and `epsilon = 0` mean the
    same, and hyphens may stand for underscores.

    Returns:
        Settings as a flat dictionary, and the data set's path if it is given.

    Raises:
        InputError: If the file cannot be read or has an unknown setting.
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
    known = {entry.name: entry for g in GROUPS.values() for entry in fields(g)}
    for key, value in flat.items():
        if key not in known:
            raise InputError(
                path,
                f"unknown setting {key!r}",
                "See keras-isample fit --help-all for the settings",
            )
        if known[key].type == "str":
            flat[key] = _as_text(path, key, value)
    return flat, data_path


def _as_text(path, key, value):
    """Text of a setting that is written as a list or a number."""
    parts = value if isinstance(value, list | tuple) else [value]
    for part in parts:
        if not isinstance(part, str | int | float) or isinstance(part, bool):
            raise InputError(
                path,
                f"{key} is {json.dumps(value, default=str)}",
                "Give it a text, or leave it away for its default",
            )
    return ",".join(str(part) for part in parts)
