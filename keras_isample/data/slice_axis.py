"""Across which axis scans are cut into slices."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Protocol

import nibabel as nib
import numpy as np

from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import Case
from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_grid

AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Axis of closest-canonical RAS+ that runs across such slices."""

# Spacings this close are equal but for rounding in headers.
_SLACK = 1e-3


class Sliceable(Protocol):
    """A case whose shape and spacing are known, such as a `PreparedCase`.

    Both in closest-canonical RAS+.
    """

    name: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


def slice_axis(
    cases: Cohort | Iterable[Case | Sliceable], axis: str = "auto"
) -> int:
    """The axis across which cases are cut into 2D slices.

    `"auto"` takes the axis of which pictures and single slices have one voxel
    only; without any, that of the largest spacing (the median over the cases,
    each in its own spacing), the axial one if all are equal. Oblique scans
    count by their closest canonical axes. Of files no more than the headers
    are read.

    Args:
        cases: A cohort, its cases, or prepared cases. The latter are taken at
            their training spacing: where it is the same for all axes or all
            cases, `"auto"` knows no longer how thick the slices once were.
        axis: `"auto"`, `"axial"`, `"coronal"` or `"sagittal"`.

    Returns:
        0 (sagittal slices), 1 (coronal) or 2 (axial).

    Raises:
        InputError: If `axis` is unknown, there are no cases, a header cannot
            be read, or a 2D file lies across another axis than the others or
            than the one asked for.
    """
    if axis != "auto" and axis not in AXES:
        raise InputError(
            "`axis`", f"received {axis!r}", f"Use auto, {', '.join(AXES)}"
        )
    if isinstance(cases, Cohort):
        cases = cases.cases
    grids = [_grid_of(case) for case in cases]
    if not grids:
        raise InputError("`axis`", "there are no cases", "Give some data")
    chosen = AXES[axis] if axis != "auto" else _automatic(grids)
    for source, shape, _ in grids:
        if 1 in shape and shape[chosen] != 1:
            own = _name(max(k for k in range(3) if shape[k] == 1))
            raise InputError(
                source,
                f"is a single {own} slice, where slices are {_name(chosen)}",
                "Keep 2D files of different directions in different data sets"
                if axis == "auto"
                else f"Use `axis='auto'` or `axis={own!r}`",
            )
    return chosen


def all_single_slices(cases: Cohort | Iterable[Case | Sliceable]) -> bool:
    """Whether every case is a picture or a single slice.

    Args:
        cases: As of `slice_axis`.

    Raises:
        InputError: If a header cannot be read.
    """
    if isinstance(cases, Cohort):
        cases = cases.cases
    return all(1 in _grid_of(case)[1] for case in cases)


def _grid_of(case) -> tuple[object, Sequence[int], Sequence[float]]:
    """Source for messages, shape and spacing in canonical RAS+."""
    if not isinstance(case, Case):
        return case.name, case.shape, case.spacing
    path = case.images[0]
    # Whoever reads the scan says what is odd about it.
    grid = read_grid(path, warn=lambda line: None)
    spacing = nib.affines.voxel_sizes(grid.affine)
    places = nib.io_orientation(grid.affine)[:, 0].astype(int)
    order = np.argsort(places)
    return path, [grid.shape[k] for k in order], spacing[order]


def _automatic(grids) -> int:
    single = [shape for _, shape, _ in grids if 1 in shape]
    if single:
        votes = [sum(shape[k] == 1 for shape in single) for k in range(3)]
        return _last_largest(votes)
    return _last_largest(np.median([spacing for *_, spacing in grids], axis=0))


def _last_largest(values) -> int:
    """Of the largest values the last, so that axial wins where equal."""
    least = max(values) * (1 - _SLACK)
    return max(k for k in range(3) if values[k] >= least)


def _name(axis: int) -> str:
    return next(name for name, number in AXES.items() if number == axis)
