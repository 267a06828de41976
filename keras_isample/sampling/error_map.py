"""The error map of one case, as of one update."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.error_map_files import BLOCKS_KIND
from keras_isample.sampling.error_map_files import MEAN_KIND
from keras_isample.sampling.error_map_files import SEEN_KIND
from keras_isample.sampling.error_map_files import beside

SLOT, UPDATES, VERSION, SUMS = 0, 1, 2, 3
"""Columns of what is known of a block: its place in the files, -1 if it has
none; the updates that changed it; the last of them; and from the fourth on, the
stored errors of the voxels of each class added up."""


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """The newest error map of one case.

    Attributes:
        path: File of the errors, `.npy` with uint8: of the scan's shape if the
            scan is one block, else `(slots, voxels)`, a row for each block
            that has ever been changed. The file of their running means is
            like it.
        histogram: int64 `(classes, 256)`: voxels of each true class, as it
            is trained, at each stored level, of those that have a value.
        version: Number of the update that made it.
        blocks: What is known of each block, int64 `(blocks, 3 + classes)`.
        partial: Whether blocks may have voxels without a value.
    """

    path: Path
    histogram: np.ndarray
    version: int
    blocks: np.ndarray
    partial: bool = False

    @classmethod
    def open(cls, path, histogram, version):
        """The map whose files are there.

        Args:
            path: As of the attribute.
            histogram: As of the attribute; `None` if the file of the errors
                is gone, and only those of running means and blocks are left.
            version: As of the attribute.

        Raises:
            ValueError: If one is missing.
        """
        table = beside(path, BLOCKS_KIND)
        files = [beside(path, MEAN_KIND), table]
        for file in [path, *files] if histogram is not None else files:
            if not file.exists():
                raise ValueError(f"The error map {file} is missing.")
        partial = beside(path, SEEN_KIND).exists()
        return cls(path, histogram, version, np.load(table), partial)

    def means(self):
        """Mean error of the known voxels of each class, in levels.

        Returns:
            float64 `(classes,)`; 255 for a class of which none is known.
        """
        known = self.histogram.sum(axis=1)
        sums = self.histogram @ np.arange(LEVELS)
        return np.where(known > 0, sums / np.maximum(known, 1), LEVELS - 1.0)
