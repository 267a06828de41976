"""The phantom of an experiment, drawn once."""

import json
from pathlib import Path

from keras_isample.data.phantom import write_phantom
from keras_isample.data.phantom_files import MARK
from keras_isample.errors import InputError


def open_phantom(path, *, cases, shape, progress=None):
    """Draws a phantom in VISCERAL layout, or finds it as it was drawn.

    Args:
        path: Its folder.
        cases: Number of scans.
        shape: Voxels along the three axes.
        progress: Called with (cases written, cases in all).

    Returns:
        `path`.

    Raises:
        InputError: If something else is there.
    """
    path = Path(path)
    mark = path / MARK
    if not mark.is_file():
        return write_phantom(path, cases=cases, shape=shape, progress=progress)
    facts = json.loads(mark.read_text(encoding="utf-8"))
    if facts["cases"] != cases or facts["shape"] != list(shape):
        raise InputError(
            path,
            f"is a phantom of {facts['cases']} cases of {facts['shape']}",
            f"Choose another folder for {cases} cases of {list(shape)}",
        )
    return path
