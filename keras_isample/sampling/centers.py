"""Voxels of a class, drawn evenly and many at once.

Foreground voxels are listed in the cache (4 bytes each). Background voxels are
drawn among all voxels, and those that turn out to be foreground are not used;
only where background is the smaller part of a scan is it listed too. So every
voxel of every class is drawn with the same chance, at the borders too.

The classes are those that a case is trained on: where a class counts as
background (`PreparedCase.merged`), its voxels are background here.
"""

import functools

import numpy as np

from keras_isample.sampling.inverse import below

_LISTED = 16
"""Scans whose background is kept listed, if it is their smaller part."""


class ClassVoxels:
    """The voxels of each class of prepared cases.

    Args:
        mapped: `MappedCases`.
    """

    def __init__(self, mapped):
        self.cases = mapped.cases
        self._mapped = mapped
        self._background = functools.lru_cache(_LISTED)(self._list_background)

    def share(self, index, label):
        """Share of `candidates` that belong to the class, above 1/2."""
        case = self.cases[index]
        if label > 0 or self._is_listed(index):
            return 1.0
        return case.trained_counts[0] / case.size

    def candidates(self, index, label, uniform):
        """Voxels of a class, each with the same chance.

        Args:
            index: Index of the case.
            label: The class, which must have voxels.
            uniform: Draws from U(0, 1), float64 `(n,)`.

        Returns:
            `(positions, belongs)`: int64 `(n,)`, flat in C order; and whether
            they belong to the class at all, bool `(n,)`.
        """
        case = self.cases[index]
        listed = self.listed(index, label)
        if listed is not None:
            positions = listed[below(len(listed), uniform)].astype(np.int64)
            return positions, np.ones(len(positions), bool)
        positions = below(case.size, uniform)
        labels = self._mapped.labels(index).reshape(-1)[positions]
        return positions, case.trained_labels(labels) == 0

    def listed(self, index, label):
        """Ascending flat positions of a class, int32, or `None`."""
        if label > 0:
            counts = self.cases[index].counts
            first = sum(counts[1:label])
            return self._mapped.positions(index)[first : first + counts[label]]
        return self._background(index) if self._is_listed(index) else None

    def _is_listed(self, index):
        case = self.cases[index]
        return 2 * case.trained_counts[0] < case.size

    def _list_background(self, index):
        labels = self._mapped.labels(index).reshape(-1)
        labels = self.cases[index].trained_labels(labels)
        return np.flatnonzero(labels == 0).astype(np.int32)
