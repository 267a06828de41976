"""Whole-scan inference with the dual-path network, tile by tile.

Equal to one pass over the whole scan (within float rounding): convolutions are
valid, tiles start at multiples of 4 voxels, and each reads a halo of 14 voxels
and of 15 context voxels. Three things are never computed twice or at all:

- The low-resolution path runs over the scan in tiles of its own, not once per
  tile of the high-resolution path.
- `W [a; up(b)] = W_a a + up(W_b b)`: the first fully connected layer acts on
  the low-resolution maps before they are repeated, and the concatenation is
  avoided.
- Where the high-resolution input is the constant outside value, its maps are
  one constant vector and the result is constant within a context voxel.
"""

import itertools

import keras
import numpy as np
from keras import layers
from keras import ops
from scipy import ndimage

from keras_isample.models.dual_path import repeat_voxels
from keras_isample.models.dual_path_geometry import CONTEXT_HALO
from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO

DEFAULT_TILE_MEMORY = 1 << 30
"""Bytes that the maps of one tile may take."""

_CONTEXT_TILE = 40
"""Context voxels along a tile of the low-resolution path."""


class DualPathPredictor:
    """Predicts whole scans with a dual-path model.

    Holds no weights of its own: it sees every later update of the model.

    Args:
        model: What `dual_path_resnet` returned (softmax or logits).
        tile_memory: About how many bytes the maps of one tile may take.

    Raises:
        ValueError: If `tile_memory` does not allow the smallest tile.
    """

    def __init__(self, model, tile_memory=DEFAULT_TILE_MEMORY):
        image, context = model.inputs
        high = model.get_layer("high_rb1_relu").output
        low = model.get_layer("low_rb2_relu").output
        self.num_classes = model.outputs[0].shape[-1]
        self._context_width = model.metadata["context_width"]
        self._low_maps = low.shape[-1]
        self._high_path = keras.Model(image, high)
        self._low_path = keras.Model(context, low)
        coarse = keras.Input((None, None, None, low.shape[-1]))
        self._tile = keras.Model(
            [image, coarse], _head(model, high, coarse, repeat=True)
        )
        same = keras.Input((None, None, None, high.shape[-1]))
        self._empty_tile = keras.Model(
            [same, coarse], _head(model, same, coarse, repeat=False)
        )
        if keras.backend.backend() == "tensorflow":
            # Tiles come in many shapes, each of which XLA would compile anew.
            for part in (
                self._high_path,
                self._low_path,
                self._tile,
                self._empty_tile,
            ):
                part.jit_compile = False
        hidden = model.get_layer("fc1").filters
        # Maps alive at the peak: the last block's sum and its summands, then
        # the hidden layer before and after its activation.
        per_voxel = 4 * (3 * high.shape[-1] + 2 * hidden + self.num_classes)
        side = int((tile_memory / per_voxel) ** (1 / 3)) // 4 * 4
        if side < CONTEXT_STRIDE:
            raise ValueError(
                "Argument `tile_memory` must allow a tile of 4 voxels a side, "
                f"{64 * per_voxel} bytes. Received: tile_memory={tile_memory}."
            )
        self.tile_size = side
        self._memory = tile_memory

    def tiles(self, scan):
        """Predicts a scan.

        Args:
            scan: A `Scan`.

        Yields:
            `(start, probabilities)`: first voxel of a tile and float32
            `(x, y, z, classes)`. The tiles cover every voxel once; slabs come
            in the order of the first axis.
        """
        if scan.num_channels != self._tile.inputs[0].shape[-1]:
            raise ValueError(
                f"The model was made for {self._tile.inputs[0].shape[-1]} "
                f"channel(s). Received a scan of {scan.num_channels}."
            )
        blocks = [-(-n // CONTEXT_STRIDE) for n in scan.shape]
        context = self._context(scan, blocks)
        near = ndimage.maximum_filter(
            scan.occupied_blocks(CONTEXT_STRIDE),
            2 * -(-IMAGE_HALO // CONTEXT_STRIDE) + 1,
            mode="constant",
        )
        empty = self._constant_maps(scan)
        sides = [
            _even_side(n, self.tile_size // CONTEXT_STRIDE) for n in blocks
        ]
        sides[0] = min(sides[0], self._most_rows(blocks))
        thickness = self._slab_thickness(blocks, sides[0])
        for slab in range(0, blocks[0], thickness):
            slab_stop = min(slab + thickness, blocks[0])
            coarse = self._coarse_maps(context, slab, slab_stop)
            starts = (
                range(slab, slab_stop, sides[0]),
                range(0, blocks[1], sides[1]),
                range(0, blocks[2], sides[2]),
            )
            limits = (slab_stop, blocks[1], blocks[2])
            for start in itertools.product(*starts):
                stop = [
                    min(a + n, end)
                    for a, n, end in zip(start, sides, limits, strict=True)
                ]
                place = tuple(
                    slice(a, b) for a, b in zip(start, stop, strict=True)
                )
                maps = coarse[
                    (slice(start[0] - slab, stop[0] - slab), *place[1:])
                ]
                tile = self._predict_tile(scan, start, maps, near[place], empty)
                first = [CONTEXT_STRIDE * a for a in start]
                inside = tuple(
                    slice(0, n - a)
                    for n, a in zip(scan.shape, first, strict=True)
                )
                yield tuple(first), tile[inside]

    def _predict_tile(self, scan, start, coarse, near, empty):
        """Probabilities of one tile; `start` and shapes in context voxels."""
        box = (
            ndimage.find_objects(near.astype(np.uint8))[0]
            if near.any()
            else None
        )
        whole = tuple(slice(0, n) for n in near.shape)
        if box == whole:
            return self._predict_box(scan, start, coarse)
        constant = np.broadcast_to(empty, (*near.shape, empty.size))
        result = self._empty_tile.predict_on_batch(
            [constant[None], coarse[None]]
        )[0]
        for axis in range(3):
            result = np.repeat(result, CONTEXT_STRIDE, axis=axis)
        if box is not None:
            first = [a + part.start for a, part in zip(start, box, strict=True)]
            fine = tuple(
                slice(CONTEXT_STRIDE * p.start, CONTEXT_STRIDE * p.stop)
                for p in box
            )
            result[fine] = self._predict_box(scan, first, coarse[box])
        return result

    def _predict_box(self, scan, start, coarse):
        first = [CONTEXT_STRIDE * a - IMAGE_HALO for a in start]
        stop = [
            CONTEXT_STRIDE * (a + n) + IMAGE_HALO
            for a, n in zip(start, coarse.shape[:3], strict=True)
        ]
        image = scan.read(first, stop)
        return self._tile.predict_on_batch([image[None], coarse[None]])[0]

    def _constant_maps(self, scan):
        """Maps of the high-resolution path where its input is constant."""
        side = 2 * IMAGE_HALO + 1
        image = scan.read([-side] * 3, [0] * 3)
        return self._high_path.predict_on_batch(image[None])[0, 0, 0, 0]

    def _context(self, scan, blocks):
        """Context voxels of the scan with their halo, anchored at voxel 0."""
        width, stride = self._context_width, CONTEXT_STRIDE
        shape = [n + 2 * CONTEXT_HALO for n in blocks]
        result = np.empty((*shape, scan.num_channels), np.float32)
        result[:] = scan.read([-1, -1, -1], [0, 0, 0])
        inner = tuple(slice(CONTEXT_HALO, n + CONTEXT_HALO) for n in blocks)
        inner = result[inner]
        for row in range(blocks[0]):
            slab = scan.read(
                (row * stride, 0, 0),
                (row * stride + width, stride * blocks[1], stride * blocks[2]),
            )
            slab = slab.mean(axis=0).reshape(
                blocks[1], stride, blocks[2], stride, -1
            )
            inner[row] = slab[:, :width, :, :width].mean(axis=(1, 3))
        return result

    def _coarse_maps(self, context, first, stop):
        """Low-resolution maps for context rows `[first, stop)`."""
        halo = 2 * CONTEXT_HALO
        shape = [
            stop - first,
            context.shape[1] - halo,
            context.shape[2] - halo,
        ]
        result = np.empty((*shape, self._low_maps), np.float32)
        sides = [_even_side(n, _CONTEXT_TILE) for n in shape]
        for start in itertools.product(
            *(range(0, n, s) for n, s in zip(shape, sides, strict=True))
        ):
            end = [
                min(a + s, n)
                for a, s, n in zip(start, sides, shape, strict=True)
            ]
            source = tuple(
                slice(a + shift, b + shift + halo)
                for a, b, shift in zip(start, end, (first, 0, 0), strict=True)
            )
            target = tuple(slice(a, b) for a, b in zip(start, end, strict=True))
            result[target] = self._low_path.predict_on_batch(
                np.ascontiguousarray(context[source])[None]
            )[0]
        return result

    def _most_rows(self, blocks):
        """Context rows whose probabilities a caller may hold at once."""
        row = 4 * self.num_classes * CONTEXT_STRIDE**3 * blocks[1] * blocks[2]
        return max(1, int(self._memory / 2 / row))

    def _slab_thickness(self, blocks, side):
        """Context rows whose low-resolution maps are held at the same time."""
        row = 4 * blocks[1] * blocks[2] * self._low_maps
        rows = max(1, int(self._memory / 2 / row))
        return blocks[0] if rows >= blocks[0] else max(1, rows // side) * side


class SplitFullyConnected(layers.Layer):
    """`fc1` on maps that were not concatenated: `W_a a + up(W_b b)`.

    Args:
        fc1: The layer whose kernel and bias are used.
        repeat: Whether the second input has a quarter of the resolution.
    """

    def __init__(self, fc1, repeat, **kwargs):
        super().__init__(**kwargs)
        self.fc1 = fc1
        self.repeat = repeat

    def call(self, inputs):
        high, low = inputs
        kernel = ops.convert_to_tensor(self.fc1.kernel)[0, 0, 0]
        maps = high.shape[-1]
        x = ops.matmul(high, ops.cast(kernel[:maps], high.dtype))
        y = ops.matmul(low, ops.cast(kernel[maps:], low.dtype))
        y = y + ops.cast(ops.convert_to_tensor(self.fc1.bias), y.dtype)
        return x + (repeat_voxels(y) if self.repeat else y)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.fc1.filters)


def _head(model, high, low, *, repeat):
    x = SplitFullyConnected(model.get_layer("fc1"), repeat)([high, low])
    x = model.get_layer("fc1_bn")(x)
    x = model.get_layer("fc1_relu")(x)
    x = model.get_layer("fc2")(x)
    if "logits" in {layer.name for layer in model.layers}:
        return layers.Softmax(dtype="float32")(x)
    return model.get_layer("probabilities")(x)


def _even_side(size, limit):
    """Side of equal tiles that cover `size` and are at most `limit`."""
    return -(-size // -(-size // limit))
