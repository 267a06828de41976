"""Patches around centers, as the network's geometry wants them.

Without augmentation the points of a grid are voxels and a patch is cut from
the scan. With augmentation the same points are turned and stretched about the
center by one matrix, and interpolated.
"""

import numpy as np
import tensorflow as tf

from keras_isample.losses.labels import OUTSIDE_LABEL
from keras_isample.sampling.interpolation import interpolate
from keras_isample.sampling.interpolation import nearest
from keras_isample.sampling.interpolation import normalize
from keras_isample.sampling.merged_labels import case_codes

_BOX_BYTES = 16 << 20
"""About how many bytes of boxes are cut at a time: what stays in caches and is
given back and forth by the allocator without being cleared."""

_ALIGNMENT = 64
"""Bytes; TensorFlow takes over arrays that begin at a multiple of it."""


class PatchReader:
    """Reads batches of patches from the mapped files of prepared cases.

    Args:
        mapped: `MappedCases`.
        geometry: What the network sees around a center, such as
            `DualPathGeometry` or `PlainGeometry`: its `inputs`, a tuple of
            `Grid`s, and the `Grid` of its `labels`.
        augment: Whether patches are turned; if not, matrices are ignored.
    """

    def __init__(self, mapped, geometry, *, augment=True):
        self.geometry = geometry
        self.augment = augment
        self._mapped = mapped
        cases = mapped.cases
        self._scales = np.array([c.scales for c in cases], np.float32)
        self._offsets = np.array([c.offsets for c in cases], np.float32)
        self._sets, self._codes = case_codes(cases)

    def read_batch(self, case, center, matrix):
        """Reads patches, in a graph or eagerly.

        Args:
            case: int64 `(batch,)`, indices of the cases.
            center: int64 `(batch, 3)`, voxels.
            matrix: float64 `(batch, 3, 3)`, from steps in the patch to steps
                in the scan.

        Returns:
            `(inputs, labels)`: normalized float32 `(batch, *size, channels)`,
            a tuple of them if the geometry has several inputs; uint8
            `(batch, *size)`, `OUTSIDE_LABEL` outside of the scan. If any case
            has merged classes the labels are coded (`losses.labels`), int32.
            Slices come without the axis that they lie across.
        """
        scale = tf.gather(tf.constant(self._scales), case)
        offset = tf.gather(tf.constant(self._offsets), case)
        arguments = case, center, matrix, scale, offset
        grids = self.geometry.inputs
        inputs = tuple(self._read(grid, *arguments) for grid in grids)
        labels = self._read(self.geometry.labels, *arguments)
        if len(self._codes) > 1:
            labels = self._coded(labels, case)
        across = self.geometry.axis
        if across is not None:
            inputs = tuple(tf.squeeze(x, axis=1 + across) for x in inputs)
            labels = tf.squeeze(labels, axis=1 + across)
        return inputs if len(inputs) > 1 else inputs[0], labels

    def _coded(self, labels, case):
        row = tf.gather(tf.constant(self._sets), case)[:, None, None, None]
        at = row * self._codes.shape[1] + tf.cast(labels, tf.int32)
        return tf.gather(tf.constant(self._codes.ravel()), at)

    def _read(self, grid, case, center, matrix, scale, offset):
        if not self.augment:
            crops = self._crops(grid, case, center)
            if grid.array == "labels":
                return crops[:, 0]
            return normalize(crops, scale, offset)
        parts = []
        many = max(1, _BOX_BYTES // self._box_bytes(grid))
        for first in range(0, case.shape[0], many):
            part = slice(first, first + many)
            boxes = self._boxes(grid, case[part], center[part], matrix[part])
            if grid.array == "labels":
                parts.append(nearest(*boxes, grid.size))
            else:
                parts.append(
                    interpolate(*boxes, scale[part], offset[part], grid.size)
                )
        return tf.concat(parts, axis=0)

    def _box_bytes(self, grid):
        """About as many bytes as the box of a turned patch has."""
        sides = 1.25 * grid.step * np.array(grid.size) + 4
        type_size = self._type(grid).size
        return int(self._channels(grid) * type_size * sides.prod())

    def _boxes(self, grid, case, center, matrix):
        """`(voxels, place, matrix, origin)` for `interpolation`."""
        boxes = tf.numpy_function(
            lambda *arguments: self._cut_boxes(grid, *arguments),
            [case, center, matrix],
            [self._type(grid), tf.int32, tf.float32, tf.float32],
            stateful=False,
        )
        for array, shape in zip(boxes[1:], ([4], [3, 3], [3]), strict=True):
            array.set_shape([case.shape[0], *shape])
        boxes[0].set_shape([None])
        return boxes

    def _crops(self, grid, case, center):
        crops = tf.numpy_function(
            lambda *arguments: self._cut_crops(grid, *arguments),
            [case, center],
            self._type(grid),
            stateful=False,
        )
        crops.set_shape([case.shape[0], self._channels(grid), *grid.size])
        return crops

    def _cut_crops(self, grid, case, center):
        shape = len(case), self._channels(grid), *grid.size
        result = _aligned(shape, self._type(grid).as_numpy_dtype)
        starts = center + np.array(grid.first) + grid.width - 1
        for target, index, start in zip(
            result, case, starts.tolist(), strict=True
        ):
            array, outside = self._array(grid, index)
            _cut(array, start, grid.step, outside, target)
        return result

    def _cut_boxes(self, grid, case, center, matrix):
        # Element e of the box means lies at voxel e + middle - (width - 1).
        pad = grid.width - 1 - grid.middle
        shift = np.array(grid.first) + grid.middle
        origin = matrix @ shift + center + pad
        matrix = matrix * grid.step
        last = matrix * (np.array(grid.size) - 1)
        sides = np.array(
            [self._array(grid, index)[0].shape[1:] for index in case]
        )
        # A little more than needed, since coordinates are float32.
        low = origin + np.minimum(last, 0).sum(axis=2) - 0.01
        high = origin + np.maximum(last, 0).sum(axis=2) + 1.01
        low = np.clip(np.floor(low), -1, sides).astype(np.int64)
        high = np.clip(np.ceil(high), -1, sides).astype(np.int64)
        shapes = high - low + 1
        lengths = self._channels(grid) * shapes.prod(axis=1)
        ends = np.cumsum(lengths)
        # Hardly ever another length, since the loop is compiled for each.
        type_ = self._type(grid)
        usual = len(case) * self._box_bytes(grid) // type_.size
        length = 1 << int(max(usual, ends[-1]) - 1).bit_length()
        voxels = _aligned((length,), type_.as_numpy_dtype)
        for index, start, shape, begin, end in zip(
            case, low.tolist(), shapes, ends - lengths, ends, strict=True
        ):
            array, outside = self._array(grid, index)
            target = voxels[begin:end].reshape(-1, *shape)
            _cut(array, start, 1, outside, target)
        place = np.column_stack([ends - lengths, shapes]).astype(np.int32)
        origin = (origin - low).astype(np.float32)
        return voxels, place, matrix.astype(np.float32), origin

    def _channels(self, grid):
        return 1 if grid.array == "labels" else self._scales.shape[1]

    def _array(self, grid, index):
        """The stored array of a case, and its values outside."""
        if grid.array == "labels":
            return self._mapped.labels(index), (OUTSIDE_LABEL,)
        array = getattr(self._mapped, grid.array)(index)
        return array, self._mapped.cases[index].outside

    def _type(self, grid):
        return tf.uint8 if grid.array == "labels" else tf.int16


def _cut(array, start, step, outside, target):
    """Copies a window of `(channels, x, y, z)`; outside of it a constant."""
    source, place = [slice(None)], [slice(None)]
    whole = True
    for first, length, size in zip(
        start, array.shape[1:], target.shape[1:], strict=True
    ):
        # Indices i with 0 <= first + step * i < length.
        low = min(size, max(0, -(first // step)))
        high = max(low, min(size, -((first - length) // step)))
        whole = whole and high - low == size
        source.append(slice(first + low * step, first + high * step, step))
        place.append(slice(low, high))
    if not whole:
        target[:] = np.array(outside).reshape(-1, 1, 1, 1)
        if any(p.start == p.stop for p in place[1:]):
            return
    target[tuple(place)] = array[tuple(source)]


def _aligned(shape, dtype):
    """An array without values that TensorFlow takes over uncopied."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(length + _ALIGNMENT, np.uint8)
    first = -buffer.ctypes.data % _ALIGNMENT
    return buffer[first : first + length].view(dtype).reshape(shape)
