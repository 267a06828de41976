"""E(x) = 1 - p(true class at x) over training scans, one byte a voxel.

Errors are rounded to 1/255 stochastically, so that an error below half a level
stays reachable at epsilon 0: its expected stored value is the error itself.

A map is refreshed as a whole, or block by block (`divide`), or voxel by voxel.
What has no value of its own has the mean error of the known voxels of its class
in its scan, and 1 where none of the class is known; so has a case without a
map. This is not written down but looked up, so that an update costs what it
changes. Beside the newest error each voxel has the running mean of its errors,
by which lasting errors are told from those of the moment.

The maps lie on disk, one set of files per case and update, and are mapped from
there: those just written are in the memory of the system anyway, and it may
give up the others. Of a scan that is divided only blocks that were ever
refreshed are stored, and an update of a case copies these.

Where classes that were not annotated count as one with the background
(`PreparedCase.merged`), p(true class) of its voxels is the sum of theirs.
"""

import functools
import tempfile
from pathlib import Path

import numpy as np

from keras_isample.losses.labels import voxel_errors
from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.acceptance import acceptance_probability
from keras_isample.sampling.error_map import SLOT
from keras_isample.sampling.error_map import ErrorMap
from keras_isample.sampling.error_map_files import MEAN_KIND
from keras_isample.sampling.error_map_files import RESTING_KINDS
from keras_isample.sampling.error_map_files import SEEN_KIND
from keras_isample.sampling.error_map_files import beside
from keras_isample.sampling.error_map_files import mapped
from keras_isample.sampling.error_map_files import own_stem
from keras_isample.sampling.error_map_files import stem_of
from keras_isample.sampling.map_draft import MapDraft
from keras_isample.volumes.block_grid import BlockGrid

_OPEN = 64
"""Files that are kept mapped (a mapping holds a file handle)."""


class ErrorMaps:
    """The error maps of a list of prepared cases.

    Args:
        cases: `PreparedCase`s, in the order of the indices used here.
        folder: Where the maps are kept; a temporary folder if `None`.

    Attributes:
        saved: Multiplications that were put aside for updates to come; part
            of the state.
    """

    def __init__(self, cases, folder=None):
        self.cases = list(cases)
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory()
            folder = self._temporary.name
        self.folder = Path(folder)
        self.saved = 0
        self._sides = None
        self._maps = {}
        self._resting = {}
        self._open = functools.lru_cache(_OPEN)(mapped)

    def __getitem__(self, index):
        """The `ErrorMap` of a case, or `None` if it counts as 1 everywhere."""
        return self._maps.get(index)

    def divide(self, sides):
        """Cuts scans into blocks that are refreshed one by one.

        Args:
            sides: Voxels of the blocks of each case along the three axes.

        Raises:
            ValueError: If there are maps that are cut otherwise.
        """
        sides = [tuple(map(int, own)) for own in sides]
        if self._maps and sides != self._sides:
            raise ValueError(
                "Error maps cannot be divided once there are any. "
                "Start a new run."
            )
        self._sides = sides

    @property
    def is_divided(self):
        """Whether scans are cut into blocks."""
        return self._sides is not None

    def grid(self, index):
        """The `BlockGrid` of a case."""
        shape = tuple(self.cases[index].shape)
        if self._sides is None:
            return BlockGrid.whole(shape)
        return BlockGrid(shape, self._sides[index])

    def update(self, case, blocks, values, *, version, seed):
        """Changes the error map of a case: the only way to change one.

        Args:
            case: Index of the case.
            blocks: Numbers of the blocks that change; if `None` all of them,
                and every voxel of the scan.
            values: Iterable of `(place, levels)`: first voxel of a tile, three
                integers, and stored errors, uint8 `(x, y, z)`, within one
                block; or flat positions of voxels, int64 `(n,)`, of which the
                last of equal ones counts, and their stored errors, `(n,)`.
                Taken one by one.
            version: Number of the update.
            seed: Seed that the running means are rounded by.

        Returns:
            The new `ErrorMap`.
        """
        draft = None
        before = self._maps.get(case)
        if before is None and blocks is None:
            before = self._resting.get(case)
        for place, levels in values:
            if draft is None:
                draft = MapDraft(
                    self.cases[case],
                    self.grid(case),
                    before,
                    self.folder / f"{stem_of(case, version)}.npy",
                    version,
                    (seed, version, case),
                    blocks,
                    partial=levels.ndim == 1,
                )
            draft.write(place, levels)
        self._maps[case] = draft.finish()
        self._resting.pop(case, None)
        self._open.cache_clear()
        return self._maps[case]

    def keep(self, indices):
        """Forgets the maps of all cases but these, not their running means."""
        kept = set(indices)
        rest = {i: m for i, m in self._maps.items() if i not in kept}
        self._maps = {i: m for i, m in self._maps.items() if i in kept}
        self._resting |= rest

    def lookup(self, index, place):
        """Stored errors of some voxels.

        Args:
            index: A case with a map.
            place: Flat positions, int64 `(n,)`, or a slice of them.

        Returns:
            `(levels, known)`: uint8 `(n,)`, and which of them are values of
            their own, bool `(n,)`, or `None` if all are.
        """
        error_map, grid = self._maps[index], self.grid(index)
        if grid.is_whole and not error_map.partial:
            return self._open(error_map.path).reshape(-1)[place], None
        if isinstance(place, slice):
            first, stop, _ = place.indices(self.cases[index].size)
            row = grid.shape[1] * grid.shape[2]
            low, high = first // row, -(-stop // row)
            part = slice(first - low * row, stop - low * row)
            levels, known = self._rows(index, low, high)
            return levels.reshape(-1)[part], known.reshape(-1)[part]
        block, offset = grid.find(place)
        slot = error_map.blocks[block, SLOT]
        known = slot >= 0
        slot = np.maximum(slot, 0)
        stored = self._open(error_map.path).reshape(-1, grid.voxels)
        if error_map.partial:
            seen = self._open(beside(error_map.path, SEEN_KIND))
            bits = seen[slot, offset >> 3] >> (7 - (offset & 7))
            known &= (bits & 1) > 0
        return stored[slot, offset], known

    def errors_of(self, index, label, positions):
        """E of voxels of a class, in levels.

        Args:
            index: A case with a map.
            label: Their class, as it is trained.
            positions: Flat positions, int64 `(n,)`.

        Returns:
            `(n,)`, uint8 or float64.
        """
        levels, known = self.lookup(index, positions)
        if known is None:
            return levels
        return np.where(known, levels, self._maps[index].means()[label])

    def chances(self, index, label, place, epsilon):
        """Chances of acceptance `min(1, E + epsilon)` of voxels of a class.

        Args:
            index: A case with a map.
            label: Their class, as it is trained.
            place: Flat positions or a slice of them.
            epsilon: Slack of the acceptance.

        Returns:
            float64 `(n,)`.
        """
        levels, known = self.lookup(index, place)
        chances = _level_chances(epsilon)[levels]
        if known is None:
            return chances
        unknown = acceptance_probability(
            self._maps[index].means()[label], epsilon, np.minimum
        )
        return np.where(known, chances, unknown)

    def errors(self, index):
        """E of a whole case in levels, uint8 `(voxels,)` in C order.

        What has no value of its own has the mean of its class, rounded.
        """
        return self._filled(index, "")

    def running_means(self, index):
        """Running means of E of a whole case, like `errors`.

        Cases that `keep` did not name have theirs, too.
        """
        return self._filled(index, MEAN_KIND)

    def _filled(self, index, kind):
        case = self.cases[index]
        error_map = self._maps.get(index) or self._resting[index]
        path = beside(error_map.path, kind)
        if self.grid(index).is_whole and not error_map.partial:
            return self._open(path).reshape(-1)
        levels, known = self._rows(index, 0, case.shape[0], kind)
        fill = np.zeros(LEVELS, np.uint8)
        fill[: len(case.counts)] = np.rint(error_map.means())
        labels = case.trained_labels(case.labels())
        return np.where(known, levels, fill[labels]).reshape(-1)

    def _rows(self, index, low, high, kind=""):
        """Rows `[low, high)` of a map: levels, and whether they are known."""
        error_map, grid = self._maps[index], self.grid(index)
        shape = (high - low, *grid.shape[1:])
        levels, known = np.empty(shape, np.uint8), np.empty(shape, bool)
        path = beside(error_map.path, kind)
        stored = self._open(path).reshape(-1, grid.voxels)
        seen = None
        if error_map.partial:
            seen = self._open(beside(error_map.path, SEEN_KIND))
        slots = error_map.blocks[:, SLOT].reshape(grid.counts)
        side = grid.sides[0]
        for number in range(low // side, -(-high // side)):
            own = slots[number]
            first, stop = (
                max(low, number * side),
                min(high, number * side + side),
            )
            target = slice(first - low, stop - low)
            source = slice(first - number * side, stop - number * side)
            place = np.maximum(own, 0).reshape(-1)
            levels[target] = _joined(stored[place], grid, source)
            if seen is None:
                bits = np.broadcast_to(
                    (own >= 0).reshape(-1, 1), (own.size, grid.voxels)
                )
            else:
                bits = np.unpackbits(seen[place], axis=1, count=grid.voxels)
                bits = bits * (own >= 0).reshape(-1, 1)
            known[target] = _joined(bits, grid, source)
        return levels, known

    def weights(self, index, epsilon):
        """Mean of `min(1, E + epsilon)` over the voxels of each class.

        Returns:
            float64 `(classes,)`; 0 for a class without voxels.
        """
        counts = np.array(self.cases[index].trained_counts, np.float64)
        if index not in self._maps:
            return np.minimum(1.0, 1.0 + epsilon) * (counts > 0)
        error_map = self._maps[index]
        sums = error_map.histogram @ _level_chances(epsilon)
        unknown = counts - error_map.histogram.sum(axis=1)
        sums += unknown * acceptance_probability(
            error_map.means(), epsilon, np.minimum
        )
        return sums / np.maximum(counts, 1)

    def mean_error(self, index):
        """Mean of E over all voxels of a case."""
        if index not in self._maps:
            return 1.0
        error_map, case = self._maps[index], self.cases[index]
        known = error_map.histogram.sum(axis=1)
        unknown = np.array(case.trained_counts) - known
        sums = error_map.histogram.sum(axis=0) @ np.arange(LEVELS)
        sums = sums + unknown @ error_map.means()
        return float(sums / (LEVELS - 1) / case.size)

    def state(self):
        """What `restore` needs: file names, versions and histograms."""
        indices = sorted(self._maps)
        return {
            "indices": np.array(indices, np.int64),
            "versions": np.array(
                [self._maps[i].version for i in indices], np.int64
            ),
            "histograms": np.array(
                [self._maps[i].histogram for i in indices], np.int64
            ),
            "resting": np.array(
                [[i, m.version] for i, m in sorted(self._resting.items())],
                np.int64,
            ).reshape(-1, 2),
            "block_sides": np.array(self._sides or [], np.int64),
            "saved": np.array(self.saved, np.int64),
        }

    def restore(self, state):
        """Goes back to an earlier `state` whose files are still there."""
        self._maps = {}
        self._resting = {
            index: ErrorMap.open(
                self.folder / f"{stem_of(index, version)}.npy", None, version
            )
            for index, version in np.array(state.get("resting", ())).tolist()
        }
        self._open.cache_clear()
        # What was written before scans could be divided has none.
        sides = np.asarray(state.get("block_sides", ())).tolist()
        self._sides = [tuple(own) for own in sides] or None
        self.saved = int(state.get("saved", 0))
        for index, version, histogram in zip(
            state["indices"],
            state["versions"],
            state["histograms"],
            strict=True,
        ):
            path = self.folder / f"{stem_of(index, version)}.npy"
            self._maps[int(index)] = ErrorMap.open(
                path, histogram, int(version)
            )

    def remove_unused(self):
        """Removes the files of replaced maps and of killed writers."""
        used = {error_map.path.stem for error_map in self._maps.values()}
        resting = [error_map.path for error_map in self._resting.values()]
        kept = {beside(p, k).name for p in resting for k in RESTING_KINDS}
        if self.folder.exists():
            for path in self.folder.iterdir():
                stem = own_stem(path.name)
                if stem is None or stem in used or path.name in kept:
                    continue
                path.unlink()


def stored_errors(case, tiles, seed):
    """Errors of predicted tiles as they are stored.

    Args:
        case: The `PreparedCase`.
        tiles: Iterable of `(start, probabilities)`: first voxel and float
            `(x, y, z, classes)`, all classes.
        seed: Tuple of integers that the rounding is drawn from.

    Yields:
        `(start, levels)`, uint8 `(x, y, z)`.
    """
    labels = case.labels()
    for start, probabilities in tiles:
        place = tuple(
            slice(a, a + n)
            for a, n in zip(start, probabilities.shape[:3], strict=True)
        )
        true = case.trained_labels(labels[place]).astype(np.int64)
        errors = voxel_errors(true, probabilities, case.merged)
        yield start, round_errors(errors, (*seed, *start))


def round_errors(errors, seed):
    """Rounds errors in [0, 1] to bytes, up or down with the right chances.

    Args:
        errors: float array.
        seed: Integer or tuple of integers.

    Returns:
        uint8 array of the same shape whose expected value is `255 * errors`.
    """
    draws = np.random.default_rng(seed).random(errors.shape, np.float32)
    levels = np.clip(errors, 0.0, 1.0) * np.float32(LEVELS - 1)
    return np.minimum(np.floor(levels + draws), LEVELS - 1).astype(np.uint8)


def _level_chances(epsilon):
    """Chance of acceptance of each level."""
    return acceptance_probability(np.arange(LEVELS), epsilon, np.minimum)


def _joined(blocks, grid, rows):
    """Blocks of one row of a grid, `(n, voxels)`, as a part of the scan."""
    _, *counts = grid.counts
    blocks = blocks.reshape(*counts, *grid.sides)[:, :, rows]
    whole = blocks.transpose(2, 0, 3, 1, 4).reshape(
        blocks.shape[2], counts[0] * grid.sides[1], -1
    )
    return whole[:, : grid.shape[1], : grid.shape[2]]
