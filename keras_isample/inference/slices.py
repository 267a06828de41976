"""Whole-scan inference with a network of slices.

Every slice across one axis is predicted whole, with nothing of its neighbors:
DeepLab's mean of the image, say, knows no tiles.
"""

import itertools

import numpy as np

from keras_isample.inference.base import Predictor
from keras_isample.inference.image_network import ImageNetwork
from keras_isample.inference.tile_memory import DEFAULT_TILE_MEMORY
from keras_isample.inference.tiling import regions_of
from keras_isample.models.segmentation_model import geometry_from
from keras_isample.volumes.files import new_mapped_array


class SlicePredictor(Predictor):
    """Predicts whole scans slice by slice.

    Follows every later update of the model's weights. The slices lie across
    axis `model.metadata["axis"]` of the scan (0 sagittal, 1 coronal, 2 axial;
    2 if it has none); their rows and columns are the two other axes, in order.
    A slice is padded with the outside value at the ends of its axes up to what
    the network needs.

    Args:
        model: A 2D network of this package.
        tile_memory: About how many bytes a batch of slices may take. A single
            slice is predicted whatever it takes.
    """

    def __init__(self, model, tile_memory=DEFAULT_TILE_MEMORY):
        self._network = ImageNetwork(model)
        self.num_classes = self._network.num_classes
        self.num_channels = self._network.num_channels
        self._memory = tile_memory
        # The dictionary, not the model: predictors must not keep models alive.
        self._metadata = model.metadata

    @property
    def axis(self):
        """Axis of the scan that the slices lie across."""
        return geometry_from(self._metadata).axis

    def units(self, shape):
        """Sides in voxels of the smallest box of a scan: a whole slice."""
        return tuple(1 if i == self.axis else n for i, n in enumerate(shape))

    def joined(self, scan, boxes, pieces):
        """Makes slabs, as wide as the scan, of batches of slices.

        Where the slices lie across another axis than the first, the
        probabilities of all are held until the last is there: in memory, or,
        if they take more than half of `tile_memory`, in a temporary file. Boxes
        come one after the other, each in slabs of its own.

        Args:
            scan: A `Scan`.
            boxes: Boxes of whole slices, or `None`.
            pieces: What `pieces` yields.
        """
        axis = self.axis
        if axis == 0:
            for first, batch in pieces:
                yield (first, 0, 0), batch
            return
        for part in self._parts(scan, boxes):
            start = [0, 0, 0]
            start[axis] = part.start
            held = self._all_slices(scan, part, pieces)
            row = held[:, 0].nbytes
            rows = max(1, int(self._memory // 2 // row))
            for first in range(0, scan.shape[0], rows):
                slab = np.moveaxis(held[:, first : first + rows], 0, axis)
                yield (
                    (first, *start[1:]),
                    np.ascontiguousarray(slab),
                )

    def pieces(self, scan, boxes=None, part=(0, 1)):
        """Predicts batches of slices.

        Args:
            scan: A `Scan`.
            boxes: Boxes of whole slices, or `None`.
            part: As of `Predictor`.

        Yields:
            `(first, probabilities)`: the first slice of a batch, and float32
            `(slices, rows, columns, classes)`.
        """
        self.check_channels(scan)
        self._network.update()
        axis = self.axis
        shape, padded = self._sides(scan)
        places = self._places(scan, boxes, self.slices_at_once(padded))
        for place in itertools.islice(places, part[0], None, part[1]):
            start, stop = [0, 0], list(padded)
            start.insert(axis, place.start)
            stop.insert(axis, place.stop)
            images = np.moveaxis(scan.read(start, stop), axis, 0)
            result = self._network(images)
            yield place.start, result[:, : shape[0], : shape[1]]

    def multiplications(self, scan, boxes=None):
        """As of `Predictor`."""
        parts = self._parts(scan, boxes)
        count = sum(part.stop - part.start for part in parts)
        _, padded = self._sides(scan)
        return count * self._network.multiplications(padded)

    def _parts(self, scan, boxes):
        """Ranges of slices that boxes are."""
        regions = regions_of(scan.shape, boxes, self.units(scan.shape))
        return [region[self.axis] for region in regions]

    def _sides(self, scan):
        """Sides of a slice, and what they are padded to."""
        multiple = self._network.multiple
        shape = [n for i, n in enumerate(scan.shape) if i != self.axis]
        return shape, [-(-n // multiple) * multiple for n in shape]

    def slices_at_once(self, shape):
        """How many slices of these two sides (padded) make a batch."""
        voxels = int(np.prod(shape, dtype=np.int64))
        held = 4 * (self.num_classes + self.num_channels)
        size = voxels * (self._network.bytes_per_voxel + held)
        return max(1, int(self._memory // size))

    def _places(self, scan, boxes, count):
        """Ranges of slices that batches of so many are, box by box."""
        for part in self._parts(scan, boxes):
            for first in range(part.start, part.stop, count):
                yield slice(first, min(first + count, part.stop))

    def _all_slices(self, scan, part, pieces):
        """Takes the batches of a range of slices."""
        shape, _ = self._sides(scan)
        shape = (part.stop - part.start, *shape, self.num_classes)
        size = 4 * np.prod(shape, dtype=np.int64)
        if size <= self._memory // 2:
            held = np.empty(shape, np.float32)
        else:
            held = new_mapped_array(np.float32, shape)
        filled = 0
        while filled < len(held):
            first, batch = next(pieces)
            filled = first - part.start + len(batch)
            held[first - part.start : filled] = batch
        return held
