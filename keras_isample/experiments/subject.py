"""What an experiment is run on: a data set, or a phantom drawn for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from keras_isample.errors import InputError
from keras_isample.experiments.phantom_data import open_phantom

_CASES = 17
SIDES = {"ct": 96, "brain": 64}


@dataclass(frozen=True)
class Subject:
    """A data set, and where its experiment is kept.

    Attributes:
        folder: Folder of the experiment.
        data: The data set; of a phantom, where it will be.
        settings: Those of all runs, as of a configuration file.
        phantom: Arguments of `open_phantom`, or `None`.
    """

    folder: Path
    data: Path
    settings: Mapping[str, Any]
    phantom: Mapping[str, Any] | None

    def draw(self):
        """Draws the phantom, unless it is there or none is needed."""
        if self.phantom is not None:
            open_phantom(self.data, **self.phantom)


def subject_of(out, data, settings, *, kind="ct", cases=None, side=None):
    """A data set, or a phantom if none is given.

    Prepared scans of a phantom are kept with the experiment, unless the
    settings say where.

    Args:
        out: Folder of the experiment with all data sets.
        data: Path of the data set, or `None`.
        settings: Those of all runs, as of a configuration file.
        kind: Of the phantom, see `open_phantom`.
        cases: Number of its scans, 17 if `None`; `kind="ct"` only.
        side: Their voxels along each axis; by default 96, of `kind="brain"`
            64; not for `kind="cardiac"`, whose slices have their own size.

    Returns:
        A `Subject`.

    Raises:
        InputError: If a data set is given, and the size of a phantom too.
    """
    if data:
        for name, value in {"`cases`": cases, "`side`": side}.items():
            if value is not None:
                raise InputError(
                    name, "is of the phantom, not of data", "Remove it"
                )
        folder = Path(out) / Path(data).resolve().name
        return Subject(folder, Path(data), settings, None)
    folder = Path(out) / "phantom"
    phantom = {"kind": kind}
    if kind == "ct":
        phantom["cases"] = _CASES if cases is None else cases
    if kind in SIDES:
        phantom["shape"] = (SIDES[kind] if side is None else side,) * 3
    cache = str((folder / "cache").absolute())
    return Subject(
        folder, folder / "data", {"cache": cache, **settings}, phantom
    )


def phantom_options(main):
    """Adds options for `cases` and `side` of `subject_of`."""
    for name, text, default in (
        ("--side", "Their voxels along each axis.", SIDES["ct"]),
        ("--cases", "Phantom scans.", _CASES),
    ):
        text = f"{text}  [default: {default}]"
        main = click.option(name, type=int, help=text)(main)
    return main
