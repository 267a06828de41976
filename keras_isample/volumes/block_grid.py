"""A scan cut into equal boxes, which are refreshed one by one.

A scan that is refreshed as a whole is a single block.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockGrid:
    """Blocks from voxel 0 on; the last ones reach over the end.

    Args:
        shape: Voxels of the scan along the three axes.
        sides: Voxels of a block along them.
    """

    shape: tuple[int, int, int]
    sides: tuple[int, int, int]

    @classmethod
    def whole(cls, shape):
        """The grid of a scan that is one block."""
        return cls(tuple(shape), tuple(shape))

    @property
    def counts(self):
        """Blocks along each axis."""
        return tuple(
            -(-n // side)
            for n, side in zip(self.shape, self.sides, strict=True)
        )

    @property
    def size(self):
        """Number of blocks."""
        return math.prod(self.counts)

    @property
    def voxels(self):
        """Voxels of a block that does not reach over the end."""
        return math.prod(self.sides)

    @property
    def is_whole(self):
        """Whether there is a single block, the scan itself."""
        return tuple(self.sides) == tuple(self.shape)

    def box(self, block):
        """The voxels of a block, a triple of slices."""
        place = np.unravel_index(block, self.counts)
        return tuple(
            slice(int(i) * side, min((int(i) + 1) * side, n))
            for i, side, n in zip(place, self.sides, self.shape, strict=True)
        )

    def block_of(self, start):
        """The block that a voxel, three integers, lies in."""
        place = [a // side for a, side in zip(start, self.sides, strict=True)]
        return int(np.ravel_multi_index(place, self.counts))

    def find(self, positions):
        """Where voxels lie.

        Args:
            positions: Flat positions in the scan, int64 `(n,)`, C order.

        Returns:
            `(block, offset)`, int64 `(n,)` each; the offset is the flat
            position in the block, in C order.
        """
        if self.is_whole:
            return np.zeros(len(positions), np.int64), positions
        block = np.zeros(len(positions), np.int64)
        offset = np.zeros(len(positions), np.int64)
        rest = positions
        scale = [math.prod(self.shape[axis + 1 :]) for axis in range(3)]
        for axis, (side, count) in enumerate(
            zip(self.sides, self.counts, strict=True)
        ):
            voxel, rest = np.divmod(rest, scale[axis])
            number, within = np.divmod(voxel, side)
            block = block * count + number
            offset = offset * side + within
        return block, offset


def even_sides(shape, side, units):
    """Sides of blocks of about a wanted side that divide a scan evenly.

    Args:
        shape: Voxels of the scan along the three axes.
        side: Wanted side, in voxels.
        units: What the sides are multiples of, in voxels.

    Returns:
        Three integers, none more than the first multiple from `side` on; those
        of an axis that is not divided are its voxels.
    """
    sides = []
    for n, unit in zip(shape, units, strict=True):
        whole = -(-n // unit)
        wanted = max(1, -(-side // unit))
        pieces = -(-whole // wanted)
        sides.append(min(n, -(-whole // pieces) * unit))
    return tuple(sides)
