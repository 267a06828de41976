"""How a scan is cut into tiles: few, of nearly equal size, within memory."""

import itertools
import math

import numpy as np
from scipy import ndimage


def tile_sides(shape, memory, bytes_of, cost_of):
    """Sides of equal tiles that cover `shape` at the least cost.

    Args:
        shape: Size of the whole, three integers.
        memory: Bytes that a tile may take.
        bytes_of: Function of three arrays of sides: bytes that a tile takes.
        cost_of: The same: cost of computing a tile.

    Returns:
        Three sides; `None` if even the smallest tile takes too much.
    """
    axes = [_even_sides(n) for n in shape]
    sides = np.meshgrid(*axes, indexing="ij")
    count = np.prod(
        [-(-n // s) for n, s in zip(shape, sides, strict=True)], axis=0
    )
    cost = np.where(bytes_of(*sides) <= memory, count * cost_of(*sides), np.inf)
    best = np.unravel_index(cost.argmin(), cost.shape)
    if not np.isfinite(cost[best]):
        return None
    return [int(axis[i]) for axis, i in zip(axes, best, strict=True)]


def tiles_of(first, stop, sides):
    """Tiles of `[first, stop)`, the first axis slowest.

    Yields:
        One slice per axis.
    """
    starts = [
        range(a, b, n) for a, b, n in zip(first, stop, sides, strict=True)
    ]
    for start in itertools.product(*starts):
        yield tuple(
            slice(a, min(a + n, b))
            for a, n, b in zip(start, sides, stop, strict=True)
        )


def regions_of(shape, boxes, units):
    """Boxes of voxels, in units of several voxels.

    Args:
        shape: Voxels of the scan along the three axes.
        boxes: Triples of slices within it that start and stop at multiples of
            a unit, or stop where the scan does; the whole scan if `None`.
        units: Voxels of a unit along each axis.

    Returns:
        List of triples of slices.

    Raises:
        ValueError: If a box starts or stops elsewhere, or is empty.
    """
    if boxes is None:
        boxes = [tuple(slice(0, n) for n in shape)]
    regions = []
    for box in boxes:
        region = []
        for part, n, unit in zip(box, shape, units, strict=True):
            start = part.start or 0
            stop = n if part.stop is None else part.stop
            good = 0 <= start < stop <= n and start % unit == 0
            if not good or (stop % unit and stop != n):
                raise ValueError(
                    "Argument `boxes` must have boxes that start and stop at "
                    f"multiples of {tuple(units)} voxels, or stop where the "
                    f"scan does. Received: {box} of a scan of {tuple(shape)}."
                )
            region.append(slice(start // unit, -(-stop // unit)))
        regions.append(tuple(region))
    return regions


def boxes_around(occupied, cost_of):
    """Boxes that hold every occupied element, cheap to compute.

    The box around all of them is halved where two boxes around the halves cost
    less.

    Args:
        occupied: 3D bool array.
        cost_of: Function of three sides: cost of computing a box.

    Returns:
        List of triples of slices, which do not overlap.
    """
    if occupied.all():
        # With what is around them, two halves cost more than the whole.
        return [tuple(slice(0, n) for n in occupied.shape)]
    found = ndimage.find_objects(occupied.astype(np.uint8))
    if not found:
        return []
    box = found[0]
    sides = [part.stop - part.start for part in box]
    inner = occupied[box]
    whole = cost_of(*sides)
    best, least = None, whole
    for axis in range(3):
        for parts in _halves(sides, axis):
            cost = 0
            for part in parts:
                tight = ndimage.find_objects(inner[part].astype(np.uint8))
                if tight:
                    cost += cost_of(*(s.stop - s.start for s in tight[0]))
            if cost < least:
                best, least = parts, cost
    if best is None:
        return [box]
    return [
        tuple(
            slice(a.start + b.start + c.start, a.start + b.start + c.stop)
            for a, b, c in zip(box, part, small, strict=True)
        )
        for part in best
        for small in boxes_around(inner[part], cost_of)
    ]


def voxels_with_halo(sides, voxels, halo):
    """Voxels of a tile: `voxels` along each unit of its sides, and a halo."""
    return math.prod(voxels * n + halo for n in sides)


def _even_sides(size):
    """The sides of 1, 2, 3, ... equal tiles that cover `size`."""
    return np.unique(-(-size // np.arange(1, size + 1)))


def _halves(sides, axis):
    """Pairs of parts that a box of `sides` may be cut into along `axis`."""
    for cut in sorted({sides[axis] * k // 4 for k in (1, 2, 3)} - {0}):
        low = [slice(0, n) for n in sides]
        high = list(low)
        low[axis], high[axis] = slice(0, cut), slice(cut, sides[axis])
        yield tuple(low), tuple(high)


def told(tiles, voxels, progress=None):
    """Tells how far a scan has come, tile by tile.

    Args:
        tiles: Iterable of `(start, probabilities)`.
        voxels: Of all tiles together.
        progress: Called with (voxels done, voxels in all) for each tile that
            has been predicted.

    Yields:
        The tiles.
    """
    done = 0
    for start, probabilities in tiles:
        done += math.prod(probabilities.shape[:3])
        if progress is not None:
            progress(done, voxels)
        yield start, probabilities
