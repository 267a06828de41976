"""Centers drawn from the chances of acceptance themselves, without rejection.

For classes in which almost every candidate would be rejected. The first draw
after an update costs one pass over the class, which sums the chances block by
block; the sums are kept, so that every later one reads a single block.
"""

import functools

import numpy as np

from keras_isample.sampling.inverse import choose
from keras_isample.sampling.inverse import search

BLOCK = 1 << 12
"""Voxels whose chances are summed together."""

_KEPT = 256
"""Classes of cases whose sums are kept."""

_SLAB = 1 << 10
"""Blocks that are summed at a time."""


class ExactDraw:
    """Draws voxels of a class in proportion to `min(1, E + epsilon)`.

    Args:
        mapped: `MappedCases`.
        voxels: `ClassVoxels`.
        error_maps: `ErrorMaps`.
        epsilon: Slack of the acceptance.
    """

    def __init__(self, mapped, voxels, error_maps, epsilon):
        self._mapped = mapped
        self._voxels = voxels
        self._error_maps = error_maps
        self._epsilon = epsilon
        # Of each map, so that those of a map that was replaced are not used.
        self._ends = functools.lru_cache(_KEPT)(self._sum)

    def draw(self, index, label, uniform, *, known=True):
        """Draws one voxel for each row of `uniform`.

        Args:
            index: Index of the case.
            label: The class; not all its chances may be 0.
            uniform: Draws from U(0, 1), float64 `(n, 2)`.
            known: Whether the error map counts; if not, all voxels of the
                class have the same chance.

        Returns:
            int64 `(n,)`, flat positions in C order.
        """
        ends = self._ends(index, label, known, self._error_maps[index])
        blocks = search(ends, uniform[:, 0])
        result = np.empty(len(blocks), np.int64)
        for number, (block, second) in enumerate(
            zip(blocks.tolist(), uniform[:, 1], strict=True)
        ):
            chances = self._chances(index, label, known, block, 1)
            result[number] = block * BLOCK + choose(chances, second)
        listed = self._voxels.listed(index, label)
        return result if listed is None else listed[result].astype(np.int64)

    def _sum(self, index, label, known, error_map):
        """Chances summed up to the end of each block, float64.

        `error_map` is the newest one, and only tells what was summed before.
        """
        listed = self._voxels.listed(index, label)
        case = self._mapped.cases[index]
        length = case.size if listed is None else len(listed)
        sums = []
        for first in range(0, -(-length // BLOCK), _SLAB):
            chances = self._chances(index, label, known, first, _SLAB)
            starts = np.arange(0, len(chances), BLOCK)
            sums.append(np.add.reduceat(chances, starts))
        return np.cumsum(np.concatenate(sums))

    def _chances(self, index, label, known, first, number):
        """Chances of acceptance of the voxels of some blocks, float64."""
        place = slice(first * BLOCK, (first + number) * BLOCK)
        listed = self._voxels.listed(index, label)
        if listed is None:
            labels = self._mapped.labels(index).reshape(-1)[place]
            labels = self._mapped.cases[index].trained_labels(labels)
            belongs = (labels == label).astype(np.float64)
        else:
            place = listed[place]
            belongs = np.ones(len(place))
        if not known:
            return belongs
        return belongs * self._error_maps.chances(
            index, label, place, self._epsilon
        )
