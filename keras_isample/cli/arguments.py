"""Arguments that several commands check before Keras is imported."""

import os
from typing import Any

from keras_isample.config import FIELDS
from keras_isample.config.settings import value_of
from keras_isample.config.values import converted
from keras_isample.errors import InputError


def tile_bytes(text):
    """Bytes that `--tile-memory` names; `None` for auto."""
    size = value_of(FIELDS["tile_memory"], text)
    return None if size == "auto" else size


def check_inputs(first, others):
    """Refuses paths that are not there."""
    for path in (first, *others):
        if not os.path.exists(path):
            raise InputError(path, "does not exist", "Check the path")


def integers(option, text, count):
    """Whole numbers with commas between them."""
    return _numbers(option, text, (int,) * count, ",".join(["96"] * count))


def floats(option, text):
    """Three numbers with commas between them."""
    return _numbers(option, text, (float,) * 3, "1,1,1.5")


def _numbers(option: str, text: str, kinds: tuple, example: str) -> Any:
    try:
        return converted(tuple[kinds], text)
    except ValueError:
        raise InputError(
            option,
            f"expects {len(kinds)} numbers, got {text!r}",
            f"Write them like {example}",
        ) from None
