"""Which blocks of a scan are refreshed next, where not all can be.

What an error map is for is to say where centers are drawn. So the weight of a
block is the share of a case's centers that the sampler would draw in it,

    sum over classes k of  share_k * sum over x in k, in the block, of
        min(1, E(x) + epsilon) / the same sum over all x in k,

times its age, the number of updates since it was last refreshed: what is right
everywhere, or holds the background only, hardly ever comes, and structures come
in proportion to what they are drawn, however small. A block that was never
refreshed is as old as the run, its voxels have the mean error of their classes,
and if it holds a structure it counts four times: where the network is wrong in
a structure that was never looked at nobody knows. Blocks whose voxels all have
the value of what lies outside of a scan (air, padding) count a hundredth.

Blocks are drawn in proportion to their weights without replacement.
"""

import functools

import numpy as np

from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.error_map import SLOT
from keras_isample.sampling.error_map import SUMS
from keras_isample.sampling.error_map import VERSION

NEW = 4.0
"""Factor of the weight of a block that holds a structure and has no value."""

AIR = 0.01
"""Factor of the weight of a block of the outside value."""

_STREAM = 94
"""Sets these draws apart from others with the same seed."""

_KEPT = 64
"""Cases of which the voxels of each class in each block are kept."""

_PART = 1 << 22
"""Listed voxels that are counted at a time."""


class BlockOrder:
    """The order in which the blocks of cases are refreshed.

    Args:
        sampler: The `ISample`; its error maps are divided.
    """

    def __init__(self, sampler):
        self._sampler = sampler
        self._counts = functools.lru_cache(_KEPT)(self._count)
        self._air = functools.lru_cache(_KEPT)(self._find_air)

    def draw(self, index, shares, version):
        """Blocks of a case, the next ones first.

        Args:
            index: Index of the case.
            shares: Expected shares of its classes among its centers.
            version: Number of the update.

        Returns:
            int64 array; blocks of weight 0 are left out.
        """
        weights = self.weights(index, shares, version)
        rng = np.random.default_rng(
            (self._sampler.seed, version, index, _STREAM)
        )
        waits = rng.exponential(size=len(weights))
        with np.errstate(divide="ignore"):
            waits = waits / weights
        order = np.argsort(waits, kind="stable")
        return order[np.isfinite(waits[order])]

    def weights(self, index, shares, version):
        """The weight of every block of a case, float64 `(blocks,)`.

        Arguments are those of `draw`.
        """
        counts = self._counts(index)
        error_map = self._sampler.error_maps[index]
        epsilon = self._sampler.epsilon
        new = np.ones(len(counts), bool)
        age = np.full(len(counts), float(version))
        chances = counts.astype(np.float64)
        if error_map is not None:
            new = error_map.blocks[:, SLOT] < 0
            age = np.where(new, age, version - error_map.blocks[:, VERSION])
            known = error_map.blocks[:, SUMS:] / (LEVELS - 1)
            known = np.minimum(counts, known + epsilon * counts)
            mean = np.minimum(1, error_map.means() / (LEVELS - 1) + epsilon)
            chances = np.where(new[:, None], counts * mean, known)
        total = chances.sum(axis=0)
        share = chances / np.where(total > 0, total, 1) @ shares
        weights = share * age
        weights[new & (counts[:, 1:].sum(axis=1) > 0)] *= NEW
        weights[self._air(index)] *= AIR
        return weights

    def _count(self, index):
        """Voxels of each class, as trained, in each block: `(blocks, k)`."""
        maps = self._sampler.error_maps
        case, grid = maps.cases[index], maps.grid(index)
        result = np.zeros((grid.size, len(case.counts)), np.int64)
        positions, end = case.positions(), 0
        for label, count in enumerate(case.counts[1:], start=1):
            begin, end = end, end + count
            if label in case.merged:
                # Trained as background.
                continue
            for first in range(begin, end, _PART):
                place = positions[first : min(end, first + _PART)]
                block, _ = grid.find(place.astype(np.int64))
                result[:, label] += np.bincount(block, minlength=grid.size)
        voxels = [
            np.minimum(side, n - side * np.arange(count))
            for side, n, count in zip(
                grid.sides, grid.shape, grid.counts, strict=True
            )
        ]
        voxels = np.multiply.outer(np.multiply.outer(*voxels[:2]), voxels[2])
        result[:, 0] = voxels.reshape(-1) - result[:, 1:].sum(axis=1)
        return result

    def _find_air(self, index):
        """Which blocks have the outside value alone, bool `(blocks,)`."""
        maps = self._sampler.error_maps
        grid, scan = maps.grid(index), maps.cases[index].scan()
        result = np.ones(grid.counts, bool)
        for channel, value in zip(scan.stored, scan.outside, strict=True):
            for number, row in enumerate(result):
                first = number * grid.sides[0]
                slab = channel[first : first + grid.sides[0]] != value
                slab = slab.any(axis=0)
                for axis in (0, 1):
                    starts = np.arange(
                        0, slab.shape[axis], grid.sides[axis + 1]
                    )
                    slab = np.logical_or.reduceat(slab, starts, axis=axis)
                row &= ~slab
        return result.reshape(-1)
