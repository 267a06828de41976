"""How large the blocks are that scans are refreshed in.

A block is predicted with the halo that the network sees around it, which costs
the more the smaller the block is; a large block, though, is for the most part
not what one wants to know. A structure of `d` voxels across touches `(d + s) /
s` blocks of side `s` along each axis, on average. So the side is the one at
which the blocks that a structure touches cost least together. `d` is the cube
root of the voxels of a structure in a case, and the geometric mean over cases
and structures. Sides are multiples of what the network needs: of 4 voxels for
the dual-path network, of what the poolings of a 3D U-Net halve, and slices are
blocks of their own. That a block takes time besides its multiplications counts
as so many more.
"""

import math

import numpy as np

from keras_isample.volumes.block_grid import even_sides
from keras_isample.volumes.scan import Scan

_CANDIDATES = 24
"""Sides that are compared."""

_BESIDES = 10**9
"""Multiplications that take as long as all else that a block needs: on two
cores about 10 ms."""


def block_side(predictor, cases):
    """The wanted side of blocks, in voxels.

    Args:
        predictor: What predicts the scans.
        cases: `PreparedCase`s.

    Returns:
        int; `even_sides` makes blocks of it.
    """
    sizes = [n for case in cases for n in case.trained_counts[1:] if n]
    across = math.exp(np.mean(np.log(sizes)) / 3) if sizes else 0.0
    shape = sorted((case.shape for case in cases), key=np.prod)
    shape = shape[len(shape) // 2]
    units = predictor.units(shape)
    unit = min(units)
    if unit == 1 < max(units):
        # Slices, which have no halo.
        return unit
    most = max(-(-n // unit) for n in shape)
    candidates = np.geomspace(1, most, _CANDIDATES)
    best, least = None, math.inf
    for side in (unit * np.unique(np.rint(candidates).astype(int))).tolist():
        sides = even_sides(shape, side, units)
        touched = math.prod(
            min((across + own) / own, n / own)
            for own, n in zip(sides, shape, strict=True)
        )
        cost = touched * (_BESIDES + typical_cost(predictor, shape, sides))
        if cost < least:
            best, least = side, cost
    return best


def typical_cost(predictor, shape, sides):
    """Multiplications of a block in the middle of a scan without any air.

    Args:
        predictor: What predicts the scan.
        shape: Voxels of the scan.
        sides: Voxels of the block, as of `even_sides`.

    Returns:
        int.
    """
    box = []
    for n, side in zip(shape, sides, strict=True):
        first = (-(-n // side) // 2) * side
        first = first if first + side <= n else 0
        box.append(slice(first, first + side))
    scan = full_scan(shape, predictor.num_channels)
    total = predictor.multiplications(scan, [tuple(box)])
    return total - predictor.setup_multiplications


def full_scan(shape, channels):
    """A `Scan` that nowhere has the outside value and takes no memory."""
    stored = np.broadcast_to(np.int16(1), (channels, *shape))
    same = (1.0,) * channels
    return Scan(stored, same, (0.0,) * channels, (0,) * channels)
