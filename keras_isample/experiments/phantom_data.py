"""The phantom of an experiment, drawn once."""

import json
import math
from pathlib import Path

from keras_isample.data.phantom_files import MARK
from keras_isample.data.phantom_kinds import write_phantom_of_kind
from keras_isample.errors import InputError
from keras_isample.volumes.lock import held


def open_phantom(path, kind="ct", *, cases=None, shape=None, progress=None):
    """Draws a phantom, or finds it as it was drawn.

    Args:
        path: Its folder.
        kind: `"ct"` (in VISCERAL layout), `"cardiac"` or `"brain"`.
        cases: Number of scans; the kind's own if `None`.
        shape: Voxels along the axes; the kind's own if `None`.
        progress: Called with (cases written, cases in all).

    Returns:
        `path`.

    Raises:
        InputError: If something else is there.
    """
    path = Path(path)
    mark = path / MARK
    if not mark.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock")
        # Another process may be drawing it.
        with held(lock, patience=math.inf):
            if not mark.is_file():
                return write_phantom_of_kind(
                    path, kind, cases=cases, shape=shape, progress=progress
                )
    facts = json.loads(mark.read_text(encoding="utf-8"))
    asked = {
        "kind": kind,
        "cases": cases,
        "shape": None if shape is None else list(shape),
    }
    there = {"kind": "ct", **facts}
    for name, value in asked.items():
        if value is not None and there[name] != value:
            raise InputError(
                path,
                f"is a phantom of {name} {there[name]}, not {value}",
                "Choose another folder",
            )
    return path
