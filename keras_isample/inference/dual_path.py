"""Whole-scan inference with the dual-path network, tile by tile.

Equal to one pass over the whole scan (within float rounding): convolutions are
valid, tiles start at multiples of 4 voxels, and each reads a halo of 14 voxels
and of 15 context voxels. What makes it fast:

- Normalization is folded into the convolutions.
- The low-resolution path runs over the scan in tiles of its own, not once per
  tile of the high-resolution path.
- `W [a; up(b)] = W_a a + up(W_b b)`: the first fully connected layer acts on
  the low-resolution maps before they are repeated, and the concatenation is
  avoided.
- The layers after the last 3x3x3 convolution see single voxels. They have most
  of the maps, and run in pieces that stay in the processor's cache; so tiles
  can be large, and few voxels are computed twice.
- Where the high-resolution input is the constant outside value, its maps are
  one constant vector and the result is constant within a context voxel.
"""

import functools
import math

import keras
import numpy as np
from keras import layers
from keras import ops
from scipy import ndimage

from keras_isample.inference.compiled import compiled
from keras_isample.inference.folding import FoldedNetwork
from keras_isample.inference.folding import folded_weights
from keras_isample.inference.tiling import boxes_around
from keras_isample.inference.tiling import tile_sides
from keras_isample.inference.tiling import tiles_of
from keras_isample.models.dual_path_geometry import CONTEXT_HALO
from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO

DEFAULT_TILE_MEMORY = 1 << 30
"""Bytes that the maps of one tile may take."""

_PIECE = 1 << 9
"""Context voxels (64 voxels each) that the last layers see at a time."""

_COST_HALO = 10
"""Voxels beyond a tile that its average multiplication sees. Most of them are
in the last convolutions, whose halo is small."""


class DualPathPredictor:
    """Predicts whole scans with a dual-path model.

    Follows every later update of the model's weights.

    Args:
        model: What `dual_path_resnet` returned (softmax or logits).
        tile_memory: About how many bytes the maps of one tile may take.

    Raises:
        ValueError: If `tile_memory` does not allow the smallest tile.
    """

    def __init__(self, model, tile_memory=DEFAULT_TILE_MEMORY):
        self.num_classes = model.outputs[0].shape[-1]
        self.num_channels = model.inputs[0].shape[-1]
        self._context_width = model.metadata["context_width"]
        self._memory = tile_memory
        self._network = _TiledNetwork(model)
        least = self.tile_bytes(1, 1, 1)
        if least > tile_memory:
            raise ValueError(
                "Argument `tile_memory` must allow a tile of 4 voxels a side, "
                f"{least} bytes. "
                f"Received: tile_memory={tile_memory}."
            )

    def tiles(self, scan):
        """Predicts a scan.

        Args:
            scan: A `Scan`.

        Yields:
            `(start, probabilities)`: first voxel of a tile and float32
            `(x, y, z, classes)`. The tiles cover every voxel once; slabs come
            in the order of the first axis.
        """
        if scan.num_channels != self.num_channels:
            raise ValueError(
                f"The model was made for {self.num_channels} "
                f"channel(s). Received a scan of {scan.num_channels}."
            )
        self._network.update()
        blocks = [-(-n // CONTEXT_STRIDE) for n in scan.shape]
        context = self._context(scan, blocks)
        near = ndimage.maximum_filter(
            scan.occupied_blocks(CONTEXT_STRIDE),
            2 * -(-IMAGE_HALO // CONTEXT_STRIDE) + 1,
            mode="constant",
        )
        empty = self._constant_share(scan)
        sides = self.tile_sides(blocks)
        thickness = self._slab_thickness(blocks, sides[0])
        for slab in range(0, blocks[0], thickness):
            slab_stop = min(slab + thickness, blocks[0])
            coarse = self._coarse_maps(context, slab, slab_stop)
            for place in tiles_of(
                (slab, 0, 0), (slab_stop, *blocks[1:]), sides
            ):
                rows = slice(place[0].start - slab, place[0].stop - slab)
                start = [part.start for part in place]
                tile = self._predict_tile(
                    scan, start, coarse[(rows, *place[1:])], near[place], empty
                )
                first = tuple(CONTEXT_STRIDE * a for a in start)
                inside = tuple(
                    slice(0, n - a)
                    for n, a in zip(scan.shape, first, strict=True)
                )
                yield first, tile[inside]

    def tile_bytes(self, x, y, z):
        """Bytes that a tile of these sides, in context voxels, takes."""
        return self._network.tile_bytes(x, y, z)

    def tile_sides(self, blocks):
        """Sides of the tiles of a scan of `blocks` context voxels, in these.

        The thickness of a slab of tiles is such that a caller can hold the
        probabilities of the slab, too.
        """
        row = 4 * self.num_classes * CONTEXT_STRIDE**3 * blocks[1] * blocks[2]
        rows = max(1, int(self._memory / 2 / row))

        def bytes_of(x, y, z):
            # One row is always allowed.
            wanted = self.tile_bytes(x, y, z)
            return np.where(x <= rows, wanted, np.inf)

        return tile_sides(blocks, self._memory, bytes_of, _tile_cost)

    def _predict_tile(self, scan, start, coarse, near, empty):
        """Probabilities of one tile; `start` and shapes in context voxels."""
        shape = [CONTEXT_STRIDE * n for n in near.shape]
        result = np.empty((*shape, self.num_classes), np.float32)
        boxes = boxes_around(near, _tile_cost)
        covered = sum(near[box].size for box in boxes)
        if covered < near.size:
            constant = self._network.classify_constant(empty, coarse)
            fine = result.reshape(
                [n for side in near.shape for n in (side, CONTEXT_STRIDE)]
                + [self.num_classes]
            )
            fine[...] = constant[:, None, :, None, :, None]
        for box in boxes:
            first = [a + part.start for a, part in zip(start, box, strict=True)]
            fine = tuple(
                slice(CONTEXT_STRIDE * p.start, CONTEXT_STRIDE * p.stop)
                for p in box
            )
            self._predict_box(scan, first, coarse[box], result[fine])
        return result

    def _predict_box(self, scan, start, coarse, result):
        """Writes the probabilities of a box into `result`."""
        first = [CONTEXT_STRIDE * a - IMAGE_HALO for a in start]
        stop = [
            CONTEXT_STRIDE * (a + n) + IMAGE_HALO
            for a, n in zip(start, coarse.shape[:3], strict=True)
        ]
        self._network.classify(scan.read(first, stop), coarse, result)

    def _constant_share(self, scan):
        """Hidden layer's share of the high-resolution path where it is air."""
        side = 2 * IMAGE_HALO + CONTEXT_STRIDE
        image = scan.read([-side] * 3, [0] * 3)
        return self._network.constant_share(image)

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
        """The hidden layer's share of context rows `[first, stop)`."""
        halo = 2 * CONTEXT_HALO
        shape = (stop - first, *(n - halo for n in context.shape[1:3]))
        result = np.empty((*shape, self._network.hidden), np.float32)
        sides = self._context_sides(shape)
        for place in tiles_of((0, 0, 0), shape, sides):
            source = tuple(
                slice(part.start + shift, part.stop + shift + halo)
                for part, shift in zip(place, (first, 0, 0), strict=True)
            )
            result[place] = self._network.context_share(context[source])
        return result

    def _context_sides(self, shape):
        """Sides of the tiles of the low-resolution path."""
        sides = tile_sides(
            shape, self._memory / 2, self._network.context_bytes, _context_cost
        )
        return sides or (1, 1, 1)

    def _slab_thickness(self, blocks, side):
        """Context rows whose low-resolution maps are held at the same time."""
        row = 4 * blocks[1] * blocks[2] * self._network.hidden
        rows = max(1, int(self._memory / 2 / row))
        return blocks[0] if rows >= blocks[0] else max(1, rows // side) * side


def _tile_cost(x, y, z):
    """Voxels that an average multiplication of a tile sees."""
    return _with_halo((x, y, z), CONTEXT_STRIDE, _COST_HALO)


def _context_cost(x, y, z):
    return _with_halo((x, y, z), 1, _COST_HALO)


def _with_halo(sides, voxels, halo):
    return math.prod(voxels * n + halo for n in sides)


class _TiledNetwork:
    """The parts that a dual-path model is cut into, as compiled functions.

    The trunk is the high-resolution path up to its last 3x3x3 convolution.
    The share of a path is what it adds to the hidden layer, `fc1`.
    """

    def __init__(self, model):
        image, context = model.inputs
        shortcut = model.get_layer("high_ra6_relu").output
        branch = model.get_layer("high_rb1_conv2_relu").output
        low = model.get_layer("low_rb2_relu").output
        self._trunk = FoldedNetwork(image, [shortcut, branch])
        self._low_path = FoldedNetwork(context, low)
        self._sources = {
            name: model.get_layer(name)
            for name in (
                "high_rb1_projection",
                "high_rb1_projection_bn",
                "high_rb1_conv3",
                "high_rb1_conv3_bn",
                "fc1",
                "fc1_bn",
                "fc2",
            )
        }
        policy = self._sources["fc1"].dtype_policy
        self._itemsize = 2 if "16" in policy.compute_dtype else 4
        self._maps = {
            "high": _maps_at_once(model, "high", 2 * IMAGE_HALO),
            "low": _maps_at_once(model, "low", 2 * CONTEXT_HALO),
        }
        self.hidden = self._sources["fc1"].filters
        self.num_classes = self._sources["fc2"].filters
        self._block = _pointwise(
            self._sources["high_rb1_conv3"].filters, policy, "relu"
        )
        self._high_share = _pointwise(self.hidden, policy, use_bias=False)
        self._low_share = _pointwise(self.hidden, policy)
        self._classifier = _pointwise(self.num_classes, policy)
        self._compile(shortcut, branch, policy)

    def _compile(self, shortcut, branch, policy):
        def classes(hidden):
            x = layers.ReLU(dtype=policy)(hidden)
            return layers.Softmax(dtype="float32")(self._classifier(x))

        sides = (None, None, None)
        x = keras.Input((*sides, shortcut.shape[-1]), dtype=shortcut.dtype)
        y = keras.Input((*sides, branch.shape[-1]), dtype=branch.dtype)
        coarse = keras.Input((*sides, self.hidden))
        both = layers.Concatenate(dtype=policy)([x, y])
        share = self._high_share(self._block(both))
        hidden = _AddRepeated(dtype=policy)([share, coarse])
        context = self._low_path.model.inputs[0]
        low = self._low_share(self._low_path.model.outputs[0])
        self._run_trunk = compiled(self._trunk.model)
        self._run_share = compiled(keras.Model([x, y], share))
        self._run_head = compiled(keras.Model([x, y, coarse], classes(hidden)))
        self._run_constant = compiled(keras.Model(coarse, classes(coarse)))
        self._run_context = compiled(keras.Model(context, low))

    def update(self):
        """Takes over the present weights of the model."""
        self._trunk.update()
        self._low_path.update()
        source = self._sources
        projection, conv3, fc1 = (
            folded_weights(source[name], source[f"{name}_bn"])
            for name in ("high_rb1_projection", "high_rb1_conv3", "fc1")
        )
        high_maps = conv3[0].shape[-1]
        high, low = np.split(fc1[0], [high_maps], axis=-2)
        self._block.set_weights(
            [
                np.concatenate([projection[0], conv3[0]], axis=-2),
                projection[1] + conv3[1],
            ]
        )
        self._high_share.set_weights([high])
        self._low_share.set_weights([low, fc1[1]])
        self._classifier.set_weights(folded_weights(source["fc2"]))

    def tile_bytes(self, x, y, z):
        """Bytes that a tile of these sides, in context voxels, takes."""
        held = 4 * self.num_classes * _with_halo((x, y, z), CONTEXT_STRIDE, 0)
        return held + self._path_bytes("high", (x, y, z), CONTEXT_STRIDE)

    def context_bytes(self, x, y, z):
        """The same for a tile of the low-resolution path."""
        return self._path_bytes("low", (x, y, z), 1)

    def _path_bytes(self, path, sides, voxels):
        needs = [
            maps * _with_halo(sides, voxels, halo)
            for maps, halo in self._maps[path]
        ]
        return self._itemsize * functools.reduce(np.maximum, needs)

    def context_share(self, context):
        """Share of the low-resolution path: `(x, y, z, hidden)`."""
        share = self._run_context(np.ascontiguousarray(context)[None])
        return ops.convert_to_numpy(share)[0]

    def constant_share(self, image):
        """Share of the high-resolution path for a constant image."""
        x, y = self._run_trunk(image[None])
        share = self._run_share(x[:, 1:-1, 1:-1, 1:-1], y)
        return ops.convert_to_numpy(share)[0, 0, 0, 0].astype(np.float32)

    def classify_constant(self, share, coarse):
        """Probabilities where the high-resolution path is constant."""
        hidden = share + coarse
        return ops.convert_to_numpy(self._run_constant(hidden[None]))[0]

    def classify(self, image, coarse, result):
        """Writes the probabilities of a tile into `result`."""
        x, y = self._run_trunk(image[None])
        wide = max(1, _PIECE // coarse.shape[2])
        for place in tiles_of((0, 0), coarse.shape[:2], (1, wide)):
            rows, columns = (
                slice(CONTEXT_STRIDE * p.start, CONTEXT_STRIDE * p.stop)
                for p in place
            )
            around = tuple(
                slice(p.start + 1, p.stop + 1) for p in (rows, columns)
            )
            piece = self._run_head(
                x[:, *around, 1:-1], y[:, rows, columns], coarse[place][None]
            )
            result[rows, columns] = ops.convert_to_numpy(piece)[0]


class _AddRepeated(layers.Layer):
    """Adds low-resolution maps, repeated 4 times along each spatial axis."""

    def call(self, inputs):
        fine, coarse = inputs
        shape = ops.shape(fine)
        coarse = ops.repeat(coarse, CONTEXT_STRIDE, axis=3)
        # The two other axes are repeated by broadcasting.
        rows, columns = ops.shape(coarse)[1:3]
        fine = ops.reshape(
            fine, (rows, CONTEXT_STRIDE, columns, CONTEXT_STRIDE, -1)
        )
        coarse = ops.reshape(coarse, (rows, 1, columns, 1, -1))
        return ops.reshape(fine + coarse, shape)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def _pointwise(maps, policy, activation=None, *, use_bias=True):
    return layers.Conv3D(
        maps, 1, activation=activation, use_bias=use_bias, dtype=policy
    )


def _maps_at_once(model, path, halo):
    """Maps that each residual block of a path holds, and its input's halo.

    They are its input, the input cropped or projected, and the outputs of two
    convolutions.

    Args:
        model: The dual-path model.
        path: `"high"` or `"low"`.
        halo: Voxels that the whole path takes away on both sides together.

    Returns:
        List of pairs.
    """
    names = sorted(
        layer.name.removesuffix("_add")
        for layer in model.layers
        if layer.name.startswith(path) and layer.name.endswith("_add")
    )
    maps = model.get_layer(f"{path}_stem").filters
    halo -= 2
    needs = []
    for name in names:
        after = model.get_layer(f"{name}_add").output.shape[-1]
        needs.append((maps + 3 * after, halo))
        maps = after
        halo -= 4 if "_ra" in name else 2
    # The last block of the high-resolution path runs in pieces.
    return needs[:-1] if path == "high" else needs
