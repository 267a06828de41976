"""The distinct values of label maps."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_isample.data.cache import hash_of
from keras_isample.data.cache import stamp
from keras_isample.errors import InputError
from keras_isample.volumes.files import write_text
from keras_isample.volumes.reading import read_label_map


def label_values(array: np.ndarray) -> set[int]:
    """Distinct values, found slice by slice to bound memory.

    Args:
        array: Labels of an unsigned integer type, shape `(X, Y, Z)`.

    Returns:
        The values as Python integers.
    """
    values = set()
    for index in range(array.shape[2]):
        counts = np.bincount(array[:, :, index].ravel(order="K"))
        values.update(np.flatnonzero(counts).tolist())
    return values


def count_classes(array: np.ndarray, num_classes: int) -> list[int]:
    """Voxels of each class, background first, counted slice by slice."""
    counts = np.zeros(num_classes, np.int64)
    for index in range(array.shape[2]):
        part = array[:, :, index].ravel(order="K")
        counts += np.bincount(part, minlength=num_classes)
    return counts.tolist()


def values_of_files(
    paths: Sequence[Path], cache: Path | None = None
) -> tuple[dict[Path, set[int]], dict[Path, InputError]]:
    """Distinct values of all label maps of a folder.

    Args:
        paths: The label maps.
        cache: Where the values of each file are noted, so that the next time
            only those that have changed are read; `None` reads all.

    Returns:
        The values of each file, and what is wrong with those that could not
        be read.
    """
    record = None
    if cache is not None and paths:
        folder = str(paths[0].parent.resolve())
        record = cache / "label_values" / f"{hash_of(folder)}.json"
    known, noted, values, damaged = _load(record), {}, {}, {}
    for path in paths:
        try:
            key = hash_of(stamp(path))
            found = known.get(key)
            if found is None:
                labels = read_label_map(path, warn=lambda line: None)
                found = sorted(label_values(labels.array))
            noted[key], values[path] = found, set(found)
        except InputError as error:
            damaged[path] = error
    if record is not None and noted != known:
        # What cannot be noted is read again.
        with contextlib.suppress(OSError, InputError):
            write_text(record, json.dumps(noted))
    return values, damaged


def _load(record):
    """Hashes of stamps and their values, as they were noted."""
    if record is None:
        return {}
    try:
        noted = json.loads(record.read_text(encoding="utf-8"))
        return {str(key): [int(v) for v in noted[key]] for key in noted}
    except (OSError, ValueError, TypeError, LookupError):
        return {}
