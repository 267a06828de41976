"""E(x) = 1 - p(true class at x) over whole training scans, one byte a voxel.

Errors are rounded to 1/255 stochastically, so that an error below half a level
stays reachable at epsilon 0: its expected stored value is the error itself.

The maps lie on disk, one file per case and update, and are mapped from there:
those just written are in the memory of the system anyway, and it may give up
the others. A case that was never predicted counts as E = 1 everywhere.

Where classes that were not annotated count as one with the background
(`PreparedCase.merged`), p(true class) of its voxels is the sum of theirs.
"""

import dataclasses
import functools
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.acceptance import acceptance_probability
from keras_isample.sampling.level_counts import count_levels
from keras_isample.volumes.files import new_mapped_file

_OPEN = 64
"""Maps that are kept mapped (a mapping holds a file handle)."""

_PART = 1 << 22
"""Voxels that are worked on at a time."""

_FILE_NAME = re.compile(r"\d{5}-\d{6}\.npy")


@dataclass
class ErrorMap:
    """The newest error map of one case.

    Attributes:
        path: Its file, `.npy` with uint8 of the scan's shape.
        histogram: int64 `(classes, 256)`: voxels of each true class, as it
            is trained, at each stored level.
        version: Number of the update that made it.
    """

    path: Path
    histogram: np.ndarray
    version: int


class ErrorMaps:
    """The error maps of a list of prepared cases.

    Args:
        cases: `PreparedCase`s, in the order of the indices used here.
        folder: Where the maps are kept; a temporary folder if `None`.
    """

    def __init__(self, cases, folder=None):
        self.cases = list(cases)
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory()
            folder = self._temporary.name
        self.folder = Path(folder)
        self._maps = {}
        self._errors = functools.lru_cache(_OPEN)(_map_file)

    def __getitem__(self, index):
        """The `ErrorMap` of a case, or `None` if it counts as 1 everywhere."""
        return self._maps.get(index)

    def writer(self, index, version, seed):
        """An `ErrorMapWriter` for a new map of case `index`."""
        path = self._path(index, version)
        return ErrorMapWriter(self.cases[index], path, version, seed + (index,))

    def amended(self, index, version, seed, positions, errors):
        """A new map of case `index` with the errors of some voxels changed.

        Which voxels have ever been given an error is kept beside the map; all
        others count as the mean of those of their class, or as 1.

        Args:
            index: The case.
            version: Number of the update.
            seed: Tuple of integers that the rounding is drawn from.
            positions: Flat positions, int64; of equal ones the last counts.
            errors: Of these voxels, float, in [0, 1].

        Returns:
            The `ErrorMap`.
        """
        path = self._path(index, version)
        case = self.cases[index]
        number = int(np.prod(case.shape))
        known = np.zeros(number, bool)
        stored = np.empty(number, np.uint8)
        if index in self._maps:
            stored[:] = self.errors(index)
            seen = np.load(_beside(self._maps[index].path))
            known[:] = np.unpackbits(seen, count=number)
        stored[positions] = round_errors(errors, (*seed, index))
        known[positions] = True
        labels = case.trained_labels(case.labels().reshape(-1))
        histogram = _histogram(labels, stored, known, len(case.counts))
        shown = histogram.sum(axis=1)
        sums = histogram @ (np.arange(LEVELS) / (LEVELS - 1))
        # What was not shown of a class that was not, either, counts as 1.
        means = np.where(shown > 0, sums / np.maximum(shown, 1), 1.0)
        for part in _parts(number):
            fill = round_errors(
                means.astype(np.float32)[labels[part]],
                (*seed, index, part.start),
            )
            stored[part] = np.where(known[part], stored[part], fill)
        for target, array in (
            (_beside(path), np.packbits(known)),
            (path, stored.reshape(case.shape)),
        ):
            with open(target, "wb") as file:
                np.save(file, array)
                file.flush()
                os.fsync(file.fileno())
        return ErrorMap(path, count_levels(case, stored), version)

    def replace(self, index, error_map):
        """Makes `error_map` the newest map of case `index`."""
        self._maps[index] = error_map
        self._errors.cache_clear()

    def adopt(self, index, error_map):
        """`replace`, after the file was moved to where the others are.

        Args:
            index: The case.
            error_map: An `ErrorMap` whose file lies elsewhere on the same file
                system.
        """
        path = self._path(index, error_map.version)
        os.replace(error_map.path, path)
        self.replace(index, dataclasses.replace(error_map, path=path))

    def keep(self, indices):
        """Forgets the maps of all cases but these."""
        kept = set(indices)
        self._maps = {i: m for i, m in self._maps.items() if i in kept}

    def errors(self, index):
        """E of a case as stored, mapped, uint8 `(voxels,)` in C order."""
        return self._errors(self._maps[index].path)

    def weights(self, index, epsilon):
        """Mean of `min(1, E + epsilon)` over the voxels of each class.

        Returns:
            float64 `(classes,)`; 0 for a class without voxels.
        """
        counts = np.array(self.cases[index].trained_counts, np.float64)
        if index not in self._maps:
            return np.minimum(1.0, 1.0 + epsilon) * (counts > 0)
        levels = acceptance_probability(np.arange(LEVELS), epsilon, np.minimum)
        return self._maps[index].histogram @ levels / np.maximum(counts, 1)

    def mean_error(self, index):
        """Mean of E over all voxels of a case."""
        if index not in self._maps:
            return 1.0
        levels = self._maps[index].histogram.sum(axis=0)
        return float(levels @ np.arange(LEVELS) / (LEVELS - 1) / levels.sum())

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
        }

    def restore(self, state):
        """Goes back to an earlier `state` whose files are still there."""
        self._maps = {}
        self._errors.cache_clear()
        for index, version, histogram in zip(
            state["indices"],
            state["versions"],
            state["histograms"],
            strict=True,
        ):
            path = self.folder / _file_name(index, version)
            if not path.exists():
                raise ValueError(f"The error map {path} is missing.")
            self._maps[int(index)] = ErrorMap(path, histogram, int(version))

    def _path(self, index, version):
        """File of a new map; its folder exists."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / _file_name(index, version)

    def remove_unused(self):
        """Removes the files of replaced maps and of killed writers."""
        used = {error_map.path.name for error_map in self._maps.values()}
        if self.folder.exists():
            for path in self.folder.iterdir():
                ours = _FILE_NAME.fullmatch(path.name)
                if ours and path.name not in used:
                    path.unlink()
                    _beside(path).unlink(missing_ok=True)


class ErrorMapWriter:
    """Takes the probabilities of a scan tile by tile and makes its error map.

    Args:
        case: The `PreparedCase`.
        path: File to write.
        version: Number of the update.
        seed: Tuple of integers that the rounding is drawn from.
    """

    def __init__(self, case, path, version, seed):
        self.case = case
        self.path = path
        self.version = version
        self.seed = seed
        self.labels = case.labels()
        self.array = new_mapped_file(path, np.uint8, case.shape)

    def write(self, start, probabilities):
        """Adds a tile.

        Args:
            start: Index of its first voxel, three integers.
            probabilities: float, `(x, y, z, classes)`, all classes.
        """
        place = tuple(
            slice(a, a + n)
            for a, n in zip(start, probabilities.shape[:3], strict=True)
        )
        labels = self.case.trained_labels(self.labels[place]).astype(np.int64)
        errors = voxel_errors(labels, probabilities, self.case.merged)
        self.array[place] = round_errors(errors, (*self.seed, *start))

    def finish(self):
        """Writes everything to disk and returns the `ErrorMap`."""
        self.array.flush()
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        histogram = count_levels(self.case, self.array)
        return ErrorMap(self.path, histogram, self.version)


def voxel_errors(labels, probabilities, merged=()):
    """E = 1 - p(true class) of some voxels of a case.

    Args:
        labels: Their classes as trained, int64 `(...)`.
        probabilities: float, `(..., classes)`, all classes.
        merged: Classes that count as background in the case.

    Returns:
        float `(...)`.
    """
    true = np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]
    if merged:
        others = probabilities[..., list(merged)].sum(axis=-1)
        true = np.where(labels == 0, true + others, true)
    return 1.0 - true


def _histogram(labels, stored, where, num_classes):
    """Voxels of each class at each level, of those with a flag."""
    result = np.zeros(num_classes * LEVELS, np.int64)
    for part in _parts(labels.size):
        keys = labels[part].astype(np.int32) * LEVELS + stored[part]
        result += np.bincount(keys[where[part]], minlength=len(result))
    return result.reshape(num_classes, LEVELS)


def _parts(number):
    """Slices of so many voxels that temporary arrays stay small."""
    return [
        slice(first, min(number, first + _PART))
        for first in range(0, number, _PART)
    ]


def _file_name(index, version):
    return f"{index:05d}-{version:06d}.npy"


def _beside(path):
    """File of the voxels that were ever shown, a bit each."""
    return path.with_suffix(".seen.npy")


def _map_file(path):
    return np.asarray(np.load(path, mmap_mode="r")).reshape(-1)


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
