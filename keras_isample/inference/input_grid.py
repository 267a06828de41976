"""Probabilities at the training spacing, made labels on the input's grid.

Probabilities, not labels, are interpolated (linearly), and the largest wins.
They arrive tile by tile and are never held for the whole scan: a slab of the
training grid becomes the rows of the input's grid that lie within it. Where
both grids are one, each tile becomes labels at once.
"""

import numpy as np

from keras_isample.volumes.files import new_mapped_array
from keras_isample.volumes.resampling import axis_positions


class InputGrid:
    """Collects the tiles of one scan.

    Args:
        shape: Voxels of the training grid.
        spacing: Its spacing, in mm.
        input_shape: Voxels of the input's grid (same axes and center).
        input_spacing: Its spacing, in mm.
        num_classes: Number of classes, at most 255.
        keep_probabilities: Whether interpolated probabilities are kept too, as
            bytes.

    Attributes:
        labels: uint8 of `input_shape`.
        probabilities: uint8 `(*input_shape, classes)`, 255 meaning 1, or
            `None`.
    """

    def __init__(
        self,
        shape,
        spacing,
        input_shape,
        input_spacing,
        num_classes,
        *,
        keep_probabilities=False,
    ):
        self.shape = shape
        self.labels = np.zeros(input_shape, np.uint8)
        self.probabilities = None
        if keep_probabilities:
            # On disk: this is the one array as large as scan times classes.
            self.probabilities = new_mapped_array(
                np.uint8, (*input_shape, num_classes)
            )
        positions = [
            axis_positions(n, s, m, t)
            for n, s, m, t in zip(
                shape, spacing, input_shape, input_spacing, strict=True
            )
        ]
        self._same = all(
            np.array_equal(at, np.arange(n))
            for at, n in zip(positions, shape, strict=True)
        )
        self._axes = [
            _neighbors(at, n) for at, n in zip(positions, shape, strict=True)
        ]
        self._slabs = None
        self._slab = None
        self._slab_start = None
        self._row = 0
        self._num_classes = num_classes

    def add(self, start, probabilities):
        """Adds a tile; tiles come slab by slab along the first axis."""
        if self._same:
            self._take(start, probabilities)
            return
        if start[0] != self._slab_start:
            self._begin_slab(start[0], probabilities.shape[0])
        first = self._slab.shape[0] - probabilities.shape[0]
        self._slab[
            first:,
            start[1] : start[1] + probabilities.shape[1],
            start[2] : start[2] + probabilities.shape[2],
        ] = probabilities

    def finish(self):
        """Makes the last rows and returns `labels`."""
        if not self._same:
            self._make_rows(last=True)
        return self.labels

    def _take(self, start, probabilities):
        """Writes a tile of the input's own grid."""
        place = tuple(
            slice(a, a + n)
            for a, n in zip(start, probabilities.shape[:3], strict=True)
        )
        self.labels[place] = probabilities.argmax(axis=-1)
        if self.probabilities is not None:
            self.probabilities[place] = np.rint(255 * probabilities)

    def _begin_slab(self, start, thickness):
        carried = None
        if self._slab is not None:
            self._make_rows()
            carried = self._slab[-1:].copy()
        held = 0 if carried is None else 1
        if self._slabs is None or len(self._slabs) < thickness + held:
            # With room for the row that later slabs carry over.
            self._slabs = np.empty(
                (thickness + 1, *self.shape[1:], self._num_classes), np.float32
            )
        self._slab = self._slabs[: thickness + held]
        if held:
            self._slab[:1] = carried
        self._slab_start = start
        self._first_row = start - held

    def _make_rows(self, last=False):
        """Makes the rows whose two neighbors are in the slab."""
        low, high, share = self._axes[0]
        largest = self._slab.argmax(axis=-1).astype(np.uint8)
        stop = self._first_row + len(self._slab)
        while self._row < len(low) and (last or high[self._row] < stop):
            row = self._row
            pair = (low[row] - self._first_row, high[row] - self._first_row)
            if self.probabilities is None:
                self._label_row(row, pair, share[row], largest)
            else:
                values = self._interpolate_row(pair, share[row])
                self.labels[row] = values.argmax(axis=-1)
                self.probabilities[row] = np.rint(255 * values)
            self._row += 1

    def _label_row(self, row, pair, share, largest):
        """Interpolates only where the eight neighbors do not agree.

        A class that is the largest at all of them is so in between.
        """
        (y0, y1, _), (z0, z1, _) = self._axes[1:]
        result = largest[pair[0]][np.ix_(y0, z0)]
        agreed = np.ones(result.shape, bool)
        for x in pair:
            for y in (y0, y1):
                for z in (z0, z1):
                    agreed &= largest[x][np.ix_(y, z)] == result
        at = np.nonzero(~agreed)
        result[at] = self._interpolate(pair, share, *at).argmax(axis=-1)
        self.labels[row] = result

    def _interpolate(self, pair, share, ys, zs):
        (y0, y1, y_share), (z0, z1, z_share) = self._axes[1:]
        result = np.zeros((len(ys), self._num_classes), np.float32)
        for x, a in zip(pair, (1 - share, share), strict=True):
            for y, b in ((y0, 1 - y_share), (y1, y_share)):
                for z, c in ((z0, 1 - z_share), (z1, z_share)):
                    weight = (a * b[ys] * c[zs]).astype(np.float32)
                    result += weight[:, None] * self._slab[x, y[ys], z[zs]]
        return result

    def _interpolate_row(self, pair, share):
        (y0, y1, b), (z0, z1, c) = self._axes[1:]
        plane = (1 - share) * self._slab[pair[0]] + share * self._slab[pair[1]]
        plane = _mix(plane[y0], plane[y1], b[:, None, None])
        return _mix(plane[:, z0], plane[:, z1], c[None, :, None])


def _neighbors(positions, size):
    """Lower and upper neighbor of each position and the upper one's share."""
    positions = np.clip(positions, 0, size - 1)
    low = np.minimum(positions.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    return low, high, positions - low


def _mix(low, high, share):
    share = share.astype(np.float32)
    return (1 - share) * low + share * high
