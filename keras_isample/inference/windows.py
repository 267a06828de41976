"""Whole-scan inference in windows that overlap by half.

For networks whose reach is unknown or has no end: instance normalization and
attention see the whole patch, so that no halo makes a tile equal to one pass.
Each window has the size of the training patches. Where windows overlap,
probabilities are averaged with the weights of a Gaussian around the middle of
each window (Isensee et al., 2021, nnU-Net: a standard deviation of an eighth
of the window). The result depends on where the windows lie, so that it is not
what one pass over the scan gives; a scan no larger than one window is seen in
one pass.
"""

import itertools
import logging
import math
import weakref

import keras
import numpy as np
from keras import ops

from keras_isample.inference.base import Predictor
from keras_isample.inference.compiled import compiled
from keras_isample.inference.cost import multiplications
from keras_isample.inference.tiling import regions_of
from keras_isample.models.segmentation_model import geometry_of
from keras_isample.volumes.files import new_mapped_array

log = logging.getLogger(__name__)

WINDOW_MEMORY = 1 << 30
"""Bytes of probabilities that are summed in memory, not in a file."""

SIGMA = 1 / 8
"""Standard deviation of the Gaussian weights, times the side of a window."""


_said = weakref.WeakSet()
"""Models whose windows have been told of."""


class WindowPredictor(Predictor):
    """Predicts whole scans in overlapping windows.

    Follows every later update of the model's weights.

    Args:
        model: A network whose geometry says that it predicts in windows.
        tile_memory: About how many bytes of probabilities may be held; if they
            take more, they are summed in a temporary file. A window takes what
            a patch of the training takes, whatever this says.

    Attributes:
        sides: Voxels of a window along the three axes of the scan.
    """

    def __init__(self, model, tile_memory=WINDOW_MEMORY):
        geometry = geometry_of(model)
        self.num_classes = model.outputs[0].shape[-1]
        self.num_channels = model.inputs[0].shape[-1]
        self._axis = geometry.axis
        multiple = geometry.multiple
        self.sides = tuple(
            n if axis == self._axis else -(-n // multiple) * multiple
            for axis, n in enumerate(geometry.labels.size)
        )
        self._units = multiple
        self._memory = tile_memory
        # Not the model: predictors must not keep models alive.
        # Of several outputs, those of deep supervision, the first.
        copy = keras.Model(model.inputs, model.outputs[0])
        self._run = compiled(copy)
        self._multiplications = multiplications(copy, [self._shape()])
        if model in _said:
            return
        _said.add(model)
        log.warning(
            "the network states no halo: scans are predicted in windows of %s "
            "voxels that overlap by half, which is not exact",
            " x ".join(map(str, self.sides)),
        )

    def units(self, shape):
        """As of `Predictor`."""
        if self._axis is None:
            return (self._units,) * len(shape)
        return tuple(1 if i == self._axis else n for i, n in enumerate(shape))

    def joined(self, scan, boxes, pieces):
        """Averages windows; slabs of a box come one after the other."""
        for region in self._regions(scan, boxes):
            yield from self._slabs(scan, region, pieces)

    def pieces(self, scan, boxes=None, part=(0, 1)):
        """Predicts the windows of a scan.

        Args:
            scan: A `Scan`.
            boxes: As of `tiles`.
            part: As of `Predictor`.

        Yields:
            `(start, probabilities)`: first voxel of a window and float32
            `(*sides, classes)`.
        """
        self.check_channels(scan)
        places = (
            start
            for region in self._regions(scan, boxes)
            for start in itertools.product(*self._starts(scan.shape, region))
        )
        for start in itertools.islice(places, part[0], None, part[1]):
            stop = [a + n for a, n in zip(start, self.sides, strict=True)]
            image = scan.read(start, stop)
            image = image.reshape(self._shape())
            result = ops.convert_to_numpy(self._run(image))
            yield start, result.reshape(*self.sides, -1)

    def num_voxels(self, scan, boxes=None):
        """Voxels of all pieces together."""
        return math.prod(self.sides) * self._num_windows(scan, boxes)

    def multiplications(self, scan, boxes=None):
        """As of `Predictor`."""
        return self._multiplications * self._num_windows(scan, boxes)

    def _num_windows(self, scan, boxes):
        return sum(
            math.prod(map(len, self._starts(scan.shape, region)))
            for region in self._regions(scan, boxes)
        )

    def _shape(self):
        """Shape of the network's input for one window."""
        sides = [n for i, n in enumerate(self.sides) if i != self._axis]
        return (1, *sides, self.num_channels)

    def _regions(self, scan, boxes):
        """Boxes in voxels."""
        units = self.units(scan.shape)
        for region in regions_of(scan.shape, boxes, units):
            yield tuple(
                slice(unit * part.start, min(unit * part.stop, n))
                for part, unit, n in zip(region, units, scan.shape, strict=True)
            )

    def _starts(self, shape, region):
        """First voxels, along each axis, of the windows that touch a region."""
        return [
            [a for a in starts(n, w) if a < part.stop and a + w > part.start]
            for n, w, part in zip(shape, self.sides, region, strict=True)
        ]

    def _slabs(self, scan, region, pieces):
        """Averages windows, and yields rows that no further window touches."""
        first, *others = self._starts(scan.shape, region)
        depth = min(self.sides[0], region[0].stop - region[0].start)
        sums = self._zeros(
            (depth, *(p.stop - p.start for p in region[1:]), self.num_classes)
        )
        rows = max(1, int(self._memory // 2 // sums[0].nbytes))
        total = [
            sum_of_weights(n, w)[part]
            for n, w, part in zip(scan.shape, self.sides, region, strict=True)
        ]
        row = region[0].start
        for number in range(len(first)):
            for _ in range(math.prod(map(len, others))):
                place, probabilities = next(pieces)
                self._add(sums, row, region, place, probabilities)
            last = number + 1 == len(first)
            done = region[0].stop if last else max(row, first[number + 1])
            done = min(done, region[0].stop)
            if done == row:
                continue
            count = done - row
            weights = (
                total[0][row - region[0].start :][:count, None, None, None]
                * total[1][:, None, None]
                * total[2][:, None]
            )
            for start in range(0, count, rows):
                part = slice(start, min(start + rows, count))
                yield (
                    (row + start, region[1].start, region[2].start),
                    np.asarray(sums[part]) / weights[part],
                )
            for index in range(depth - count):
                sums[index] = sums[index + count]
            sums[depth - count :] = 0
            row = done

    def _add(self, sums, row, region, place, probabilities):
        """Adds the part of a window that lies in a region, from `row` on."""
        first = [row, region[1].start, region[2].start]
        inner, outer, weights = [], [], []
        for a, w, low, part in zip(
            place, self.sides, first, region, strict=True
        ):
            start, stop = max(a, low), min(a + w, part.stop)
            inner.append(slice(start - a, stop - a))
            outer.append(slice(start - low, stop - low))
            weights.append(gaussian(w)[start - a : stop - a])
        x, y, z = weights
        sums[tuple(outer)] += (
            probabilities[tuple(inner)]
            * x[:, None, None, None]
            * y[:, None, None]
            * z[:, None]
        )

    def _zeros(self, shape):
        if 4 * math.prod(shape) <= self._memory // 2:
            return np.zeros(shape, np.float32)
        return new_mapped_array(np.float32, shape)


def starts(size, window):
    """First voxels of windows that cover an axis and overlap by half or more.

    Args:
        size: Voxels of the scan along the axis.
        window: Side of a window.

    Returns:
        List of integers, evenly spaced; `[0]` if one window holds all.
    """
    if size <= window:
        return [0]
    step = max(1, window // 2)
    count = -(-(size - window) // step)
    return [round(i * (size - window) / count) for i in range(count + 1)]


def gaussian(window):
    """Weights along one axis of a window, float32, 1 in the middle."""
    place = np.arange(window) - (window - 1) / 2
    return np.exp(-0.5 * (place / (SIGMA * window)) ** 2).astype(np.float32)


def sum_of_weights(size, window):
    """What the weights of all windows add up to along an axis, float32.

    Windows form a grid, so that the sum at a voxel is the product of those of
    its axes.

    Args:
        size: Voxels of the scan along the axis.
        window: Side of a window.

    Returns:
        Array `(size,)`.
    """
    total = np.zeros(max(size, window), np.float32)
    for start in starts(size, window):
        total[start : start + window] += gaussian(window)
    return total[:size]
