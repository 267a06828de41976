"""Arguments that several commands check before Keras is imported."""

import os

from keras_isample.config import parse_bytes
from keras_isample.errors import InputError


def tile_bytes(text):
    """Bytes that `--tile-memory` names; `None` for auto."""
    return None if text == "auto" else parse_bytes("--tile-memory", text)


def check_inputs(first, others):
    """Refuses paths that are not there."""
    for path in (first, *others):
        if not os.path.exists(path):
            raise InputError(path, "does not exist", "Check the path")


def integers(option, text, count):
    """Whole numbers with commas between them."""
    return _parse(option, text, int, ",".join(["96"] * count), count)


def floats(option, text):
    """Three numbers with commas between them."""
    return _parse(option, text, float, "1,1,1.5", 3)


def _parse(option, text, kind, example, count):
    try:
        values = tuple(kind(part) for part in text.split(","))
        if len(values) != count:
            raise ValueError
    except ValueError:
        raise InputError(
            option,
            f"expects {count} numbers, got {text!r}",
            f"Write them like {example}",
        ) from None
    return values
