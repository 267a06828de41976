"""Change of spacing along a scan's own axes, every voxel kept in its place.

The new grid has the direction of the old one and the same center; it is never
stretched from end to end.
"""

import itertools
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from keras_isample.volumes.volume import Volume

_SLAB_BYTES = 1 << 26
"""About how much of a scan is resampled at once."""


def resampled_shape(
    shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]
) -> tuple[int, ...]:
    """Voxels along each axis that cover the same extent at a new spacing."""
    return tuple(
        max(1, round(n * old / new))
        for n, old, new in zip(shape, spacing, new_spacing, strict=True)
    )


def kept_spacing(
    shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]
) -> tuple[float, ...]:
    """The new spacing, but for axes of one voxel, which keep the old one.

    A lone slice has no neighbors to interpolate with, and its thickness says
    nothing about how many slices there should be.
    """
    return tuple(
        float(old if n == 1 else new)
        for n, old, new in zip(shape, spacing, new_spacing, strict=True)
    )


def axis_positions(
    size: int, spacing: float, new_size: int, new_spacing: float
) -> np.ndarray:
    """Where the voxels of one grid lie on another grid of the same center.

    Args:
        size: Voxels of the grid whose indices are returned.
        spacing: Its spacing, in mm.
        new_size: Voxels of the other grid.
        new_spacing: Its spacing, in mm.

    Returns:
        For each of `new_size` voxels its (fractional) index on the first grid.
    """
    steps = np.arange(new_size) - (new_size - 1) / 2
    return (size - 1) / 2 + steps * (new_spacing / spacing)


def resample_volume(
    volume: Volume, spacing: Sequence[float], *, kind: str = "linear"
) -> Volume:
    """Resamples a scan or a label map to a new spacing.

    Args:
        volume: The scan, three spatial axes.
        spacing: New spacing of its three axes, in mm; an axis of one voxel
            keeps its own.
        kind: `"linear"` for intensities (float32 comes out) or `"labels"`: each
            class is interpolated linearly and the largest wins (the type is
            kept).

    Returns:
        A `Volume` whose affine puts every voxel where it lies in the world.

    Raises:
        ValueError: If `kind` is unknown or a spacing is not positive.
    """
    if kind not in ("linear", "labels"):
        raise ValueError(
            'Argument `kind` must be "linear" or "labels". '
            f"Received: kind={kind!r}."
        )
    if np.shape(spacing) != (3,) or not all(s > 0 for s in spacing):
        raise ValueError(
            "Argument `spacing` must be three positive numbers (mm). "
            f"Received: spacing={spacing}."
        )
    spacing = kept_spacing(volume.shape, volume.spacing, spacing)
    positions = _positions(volume, spacing)
    change = np.eye(4)
    for axis, (place, s, t) in enumerate(
        zip(positions, volume.spacing, spacing, strict=True)
    ):
        change[axis, axis] = t / s
        change[axis, 3] = place[0]
    if kind == "labels":
        array = _resample_labels(volume.array, positions)
    else:
        array = np.empty([len(p) for p in positions], np.float32)
        for first, slab in resample_slabs(volume, spacing):
            array[first : first + len(slab)] = slab
    return Volume(array, volume.affine @ change)


def remaining_labels(volume: Volume, spacing: Sequence[float]) -> set[int]:
    """Labels of which `resample_volume` leaves a voxel.

    Args:
        volume: A label map of an unsigned integer type.
        spacing: As of `resample_volume`.
    """
    positions = _positions(volume, spacing)
    sides = []
    for place, size in zip(positions, volume.shape, strict=True):
        low = np.clip(np.floor(place).astype(int), 0, size - 1)
        sides.append((low, np.minimum(low + 1, size - 1)))
    # A voxel whose eight neighbors agree needs no interpolation.
    first = volume.array[np.ix_(*(low for low, _ in sides))]
    agreed = np.ones(first.shape, bool)
    for corner in itertools.product(*sides):
        agreed &= volume.array[np.ix_(*corner)] == first
    remaining = set(np.unique(first[agreed]).tolist())
    if remaining.issuperset(np.unique(volume.array).tolist()):
        return remaining
    resampled = resample_volume(volume, spacing, kind="labels")
    return set(np.unique(resampled.array).tolist())


def resample_slabs(
    volume: Volume,
    spacing: Sequence[float],
    limits: tuple[float, float] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Resamples a scan linearly, a part of it at a time.

    Args:
        volume: The scan, three spatial axes.
        spacing: New spacing of its three axes, in mm; an axis of one voxel
            keeps its own.
        limits: Values are clipped to these before they are interpolated.

    Yields:
        `(first, slab)`: float32 rows along the first axis, from row `first`
        on; all in order.
    """
    positions = _positions(volume, spacing)
    array = volume.array
    identity = _is_identity(array, positions)
    place = positions[0]
    # Rows of the old or of the new grid, whichever is larger.
    row = 4 * max(array[0].size, len(positions[1]) * len(positions[2]))
    thickness = max(1, int(_SLAB_BYTES / row / max(1, _step(place))))
    for first in range(0, len(place), thickness):
        rows = place[first : first + thickness]
        start, stop = first, first + len(rows)
        if not identity:
            start = max(0, int(np.floor(rows[0])))
            stop = max(start + 1, int(np.ceil(rows[-1])) + 1)
        part = array[start:stop].astype(np.float32)
        if limits is not None:
            np.clip(part, *limits, out=part)
        if not identity:
            parts = [rows - start, *positions[1:]]
            part = _transform(part, parts, [(0, len(p)) for p in parts])
        yield first, part


def _positions(volume, spacing):
    """Where the new voxels lie on the old grid, one array per axis."""
    spacing = kept_spacing(volume.shape, volume.spacing, spacing)
    shape = resampled_shape(volume.shape, volume.spacing, spacing)
    return [
        axis_positions(n, s, m, t)
        for n, s, m, t in zip(
            volume.shape, volume.spacing, shape, spacing, strict=True
        )
    ]


def _step(positions):
    return positions[1] - positions[0] if len(positions) > 1 else 1.0


def _resample_labels(array, positions):
    if _is_identity(array, positions):
        return array.copy()
    result = np.zeros([len(p) for p in positions], array.dtype)
    best = np.zeros(result.shape, np.float32)
    background = np.ones(result.shape, np.float32)
    for label, box in enumerate(ndimage.find_objects(array), start=1):
        if box is None:
            continue
        window = [
            (
                int(np.searchsorted(place, part.start - 1)),
                int(np.searchsorted(place, part.stop, side="right")),
            )
            for place, part in zip(positions, box, strict=True)
        ]
        share = _transform((array == label).view(np.uint8), positions, window)
        inside = tuple(slice(first, last) for first, last in window)
        wins = share > best[inside]
        result[inside][wins] = label
        best[inside][wins] = share[wins]
        background[inside] -= share
    # The small slack gives ties to the foreground in spite of rounding.
    result[best < background - 1e-5] = 0
    return result


def _transform(array, positions, window):
    if any(last <= first for first, last in window):
        return np.zeros([max(0, b - a) for a, b in window], np.float32)
    starts = [p[first] for p, (first, _) in zip(positions, window, strict=True)]
    return ndimage.affine_transform(
        array,
        np.array([_step(p) for p in positions]),
        offset=starts,
        output_shape=[last - first for first, last in window],
        output=np.float32,
        order=1,
        mode="nearest",
    )


def _is_identity(array, positions):
    return all(
        len(p) == n and np.allclose(p, np.arange(n), atol=1e-4)
        for n, p in zip(array.shape, positions, strict=True)
    )
