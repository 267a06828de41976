"""The next version of a case's error map, while it is written."""

import numpy as np

from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.error_map import SLOT
from keras_isample.sampling.error_map import SUMS
from keras_isample.sampling.error_map import UPDATES
from keras_isample.sampling.error_map import VERSION
from keras_isample.sampling.error_map import ErrorMap
from keras_isample.sampling.error_map_files import BLOCKS_KIND
from keras_isample.sampling.error_map_files import MEAN_KIND
from keras_isample.sampling.error_map_files import SEEN_KIND
from keras_isample.sampling.error_map_files import beside
from keras_isample.sampling.error_map_files import finish
from keras_isample.sampling.error_map_files import mapped
from keras_isample.sampling.error_map_files import new_bytes
from keras_isample.sampling.error_map_files import write_array
from keras_isample.sampling.level_counts import count_levels

MEAN_OVER = 16
"""Updates that the running mean goes over: the weight of the newest error is 1
divided by the number of updates, and stays at 1/16 from the 16th on."""

_STREAM = 93
"""Sets the rounding of the means apart from other draws of the same seed."""


class MapDraft:
    """Copies what stays, takes what is new, and counts it.

    Args:
        case: The `PreparedCase`.
        grid: Its `BlockGrid`.
        before: Its `ErrorMap`, or `None`; of one that all is new after, only
            the running means and what is known of the blocks are read.
        path: File of the new errors.
        version: Number of the update.
        seed: Tuple of integers that the means are rounded by.
        blocks: Numbers of the blocks that change; all, and every voxel of
            them, if `None`.
        partial: Whether single voxels of them are written.
    """

    def __init__(
        self, case, grid, before, path, version, seed, blocks, *, partial
    ):
        self._case, self._grid, self._before = case, grid, before
        self._path, self._version, self._seed = path, version, seed
        self._labels = case.labels()
        self._renewed = blocks is None
        self._written = 0
        blocks = np.arange(grid.size) if self._renewed else np.unique(blocks)
        self._make_table(blocks)
        slots = int(self._table[:, SLOT].max()) + 1
        shape = grid.shape if grid.is_whole else (slots, grid.voxels)
        self._levels = new_bytes(path, shape)
        self._means = new_bytes(beside(path, MEAN_KIND), shape)
        self._old_levels = self._old_means = None
        if before is not None:
            self._old_means = mapped(beside(before.path, MEAN_KIND))
        if before is not None and not self._renewed:
            self._old_levels = mapped(before.path)
            self._levels[: len(self._old_levels)] = self._old_levels
            self._means[: len(self._old_means)] = self._old_means
        self._make_seen(slots, partial)

    def write(self, place, levels):
        """Takes the newest errors of a tile or of single voxels.

        Args:
            place: First voxel of a tile within one block, three integers; or
                flat positions of voxels, int64 `(n,)`.
            levels: uint8, of the tile's shape or `(n,)`; of equal positions
                the last counts.
        """
        if levels.ndim == 1:
            self._write_voxels(place, levels)
        else:
            self._write_tile(place, levels)

    def finish(self):
        """Puts the files on the disk and returns the `ErrorMap`.

        Raises:
            ValueError: If voxels of a map that is all new were not written.
        """
        if self._renewed and self._written != self._case.size:
            raise ValueError(
                f"The map of {self._case.name} has {self._case.size} voxels; "
                f"{self._written} were written."
            )
        if self._renewed and self._grid.is_whole:
            # Faster than tile by tile.
            self._histogram = count_levels(self._case, self._levels)
            self._table[0, SUMS:] = self._histogram @ np.arange(LEVELS)
        finish(self._levels, self._path)
        finish(self._means, beside(self._path, MEAN_KIND))
        if self._seen is not None:
            write_array(beside(self._path, SEEN_KIND), self._seen)
        write_array(beside(self._path, BLOCKS_KIND), self._table)
        return ErrorMap(
            self._path,
            self._histogram,
            self._version,
            self._table,
            self._seen is not None,
        )

    def _make_table(self, blocks):
        """Gives every block that changes a place in the files."""
        classes = len(self._case.counts)
        if self._before is None:
            self._table = np.zeros((self._grid.size, SUMS + classes), np.int64)
            self._table[:, SLOT] = -1
        else:
            self._table = self._before.blocks.copy()
        if self._renewed:
            self._table[:, SUMS:] = 0
        if self._renewed or self._before is None:
            self._histogram = np.zeros((classes, LEVELS), np.int64)
        else:
            self._histogram = self._before.histogram.copy()
        self._old_slots = self._table[:, SLOT].copy()
        fresh = blocks[self._table[blocks, SLOT] < 0]
        used = int(self._table[:, SLOT].max()) + 1
        self._table[fresh, SLOT] = used + np.arange(len(fresh))
        self._table[blocks, UPDATES] += 1
        self._table[blocks, VERSION] = self._version

    def _make_seen(self, slots, partial):
        """Bits of the voxels that have a value, where not all of a block."""
        self._seen = self._old_seen = None
        before = self._before
        if before is not None and before.partial:
            self._old_seen = mapped(beside(before.path, SEEN_KIND))
        if self._renewed or not (partial or self._old_seen is not None):
            return
        self._seen = np.zeros((slots, -(-self._grid.voxels // 8)), np.uint8)
        if before is not None:
            known = int(self._old_slots.max()) + 1
            self._seen[:known] = (
                255 if self._old_seen is None else self._old_seen
            )

    def _write_tile(self, start, levels):
        grid = self._grid
        block = grid.block_of(start)
        place = tuple(
            slice(a, a + n) for a, n in zip(start, levels.shape, strict=True)
        )
        within = place
        if not grid.is_whole:
            within = tuple(
                slice(p.start - b.start, p.stop - b.start)
                for p, b in zip(place, grid.box(block), strict=True)
            )
        slot, old_slot = self._table[block, SLOT], self._old_slots[block]
        known, mean = np.zeros(levels.shape, bool), levels
        if old_slot >= 0:
            mean = self._view(self._old_means, old_slot)[within]
            known = None
            if self._old_seen is not None:
                bits = np.unpackbits(
                    self._old_seen[old_slot], count=grid.voxels
                )
                known = bits.reshape(grid.sides)[within].astype(bool)
        number = int(self._table[block, UPDATES])
        self._view(self._means, slot)[within] = _averaged(
            mean, levels, known, number, self._generator(*start)
        )
        self._view(self._levels, slot)[within] = levels
        self._written += levels.size
        if self._seen is not None:
            bits = np.unpackbits(self._seen[slot], count=grid.voxels)
            bits.reshape(grid.sides)[within] = 1
            self._seen[slot] = np.packbits(bits)
        if self._renewed and grid.is_whole:
            return
        labels = self._case.trained_labels(self._labels[place])
        change = self._count(labels, levels)
        if old_slot >= 0 and not self._renewed:
            old = self._view(self._old_levels, old_slot)[within]
            change -= self._count(labels, old, known)
        self._histogram += change
        self._table[block, SUMS:] += change @ np.arange(LEVELS)

    def _write_voxels(self, positions, levels):
        # Of equal ones the last: `unique` keeps the first.
        positions, last = np.unique(positions[::-1], return_index=True)
        levels = levels[::-1][last]
        block, offset = self._grid.find(positions)
        slot = self._table[block, SLOT]
        stored = self._levels.reshape(-1, self._grid.voxels)
        means = self._means.reshape(-1, self._grid.voxels)
        byte, bit = offset >> 3, (128 >> (offset & 7)).astype(np.uint8)
        known = (self._seen[slot, byte] & bit) > 0
        old = stored[slot, offset]
        number = self._table[block, UPDATES]
        means[slot, offset] = _averaged(
            means[slot, offset], levels, known, number, self._generator()
        )
        stored[slot, offset] = levels
        np.bitwise_or.at(self._seen, (slot, byte), bit)
        labels = self._case.trained_labels(self._labels.reshape(-1)[positions])
        self._histogram += self._count(labels, levels)
        self._histogram -= self._count(labels, old, known)
        difference = levels.astype(np.int64) - np.where(known, old, 0)
        np.add.at(self._table, (block, SUMS + labels.astype(int)), difference)

    def _view(self, array, slot):
        """A block of a file, in its sides."""
        if self._grid.is_whole:
            return array
        return array[slot].reshape(self._grid.sides)

    def _count(self, labels, levels, known=None):
        """Voxels of each class at each level, int64 `(classes, 256)`."""
        keys = labels.astype(np.int32) * LEVELS + levels
        keys = keys.reshape(-1) if known is None else keys[known]
        classes = len(self._case.counts)
        counts = np.bincount(keys, minlength=classes * LEVELS)
        return counts.reshape(classes, LEVELS)

    def _generator(self, *place):
        return np.random.default_rng((*self._seed, *place, _STREAM))


def _averaged(mean, levels, known, number, rng):
    """The running mean after an update, rounded so that it is right on average.

    Args:
        mean: Before the update, uint8.
        levels: Newest errors, uint8 of the same shape.
        known: Where there was a mean before; everywhere if `None`.
        number: Number of the update of these voxels, from 1; an integer or
            one for each voxel.
        rng: Draws the rounding.

    Returns:
        uint8 array.
    """
    # In 256ths: whether a part of a level is one is drawn from its chance.
    weight = 256 // np.minimum(number, MEAN_OVER)
    change = levels.astype(np.int32)
    change -= mean
    change *= np.asarray(weight, np.int32)
    change += rng.integers(0, 256, levels.shape, np.uint8)
    change >>= 8
    change += mean
    if known is None:
        return change.astype(np.uint8)
    return np.where(known, change, levels).astype(np.uint8)
