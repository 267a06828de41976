"""The parts that a dual-path model is cut into to predict tiles."""

import functools
import math

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_isample.inference.compiled import compiled
from keras_isample.inference.cost import products
from keras_isample.inference.folding import FoldedNetwork
from keras_isample.inference.folding import folded_weights
from keras_isample.inference.tiling import tiles_of
from keras_isample.inference.tiling import voxels_with_halo
from keras_isample.models.dual_path_geometry import CONTEXT_HALO
from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO

_PIECE = 1 << 13
"""Context voxels (64 voxels each) that the last layers see at a time, at most.
Of a small tile they see an eighth, or one column."""

_LEAST_PIECE = 6**3
"""Context voxels that are not divided: each piece is a call, which takes
milliseconds whatever it computes."""

_REFERENCE = 64
"""Side that multiplications are counted at, a multiple of 4."""


class DualPathParts:
    """Compiled functions with folded weights of their own.

    The trunk is the high-resolution path up to its last 3x3x3 convolution.
    The share of a path is what it adds to the hidden layer, `fc1`.
    """

    def __init__(self, model):
        image, context = model.inputs
        shortcut = model.get_layer("high_rb1_crop").output
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
        models = {
            "trunk": self._trunk.model,
            "share": keras.Model([x, y], share),
            "head": keras.Model([x, y, coarse], classes(hidden)),
            "fill": keras.Model(coarse, classes(coarse)),
            "context": keras.Model(context, low),
        }
        self._run_trunk = compiled(models["trunk"])
        self._run_share = compiled(models["share"])
        self._run_head = compiled(models["head"])
        self._run_constant = compiled(models["fill"])
        self._run_context = compiled(models["context"])
        self._counts = {name: _counts(model) for name, model in models.items()}

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
        held = (
            4
            * self.num_classes
            * voxels_with_halo((x, y, z), CONTEXT_STRIDE, 0)
        )
        return held + self._path_bytes("high", (x, y, z), CONTEXT_STRIDE)

    def context_bytes(self, x, y, z):
        """The same for a tile of the low-resolution path."""
        return self._path_bytes("low", (x, y, z), 1)

    def _path_bytes(self, path, sides, voxels):
        needs = [
            maps * voxels_with_halo(sides, voxels, halo)
            for maps, halo in self._maps[path]
        ]
        return self._itemsize * functools.reduce(np.maximum, needs)

    def tile_multiplications(self, sides):
        """Multiplications of `classify` for a tile, in context voxels."""
        sides = [CONTEXT_STRIDE * n for n in sides]
        image = [n + 2 * IMAGE_HALO for n in sides]
        return _counted(self._counts["trunk"], image) + _counted(
            self._counts["head"], sides
        )

    def context_multiplications(self, sides):
        """Of `context_share`, for so many context voxels without halo."""
        sides = [n + 2 * CONTEXT_HALO for n in sides]
        return _counted(self._counts["context"], sides)

    def fill_multiplications(self, sides):
        """Of `classify_constant`, for so many context voxels."""
        return _counted(self._counts["fill"], sides)

    def constant_multiplications(self):
        """Of `constant_share`, for the smallest image."""
        image = [2 * IMAGE_HALO + CONTEXT_STRIDE] * 3
        return _counted(self._counts["trunk"], image) + _counted(
            self._counts["share"], [CONTEXT_STRIDE] * 3
        )

    def context_share(self, context):
        """Share of the low-resolution path: `(x, y, z, hidden)`."""
        share = self._run_context(np.ascontiguousarray(context)[None])
        return ops.convert_to_numpy(share)[0]

    def constant_share(self, image):
        """Share of the high-resolution path for a constant image."""
        x, y = self._run_trunk(image[None])
        share = self._run_share(x, y)
        return ops.convert_to_numpy(share)[0, 0, 0, 0].astype(np.float32)

    def classify_constant(self, share, coarse):
        """Probabilities where the high-resolution path is constant."""
        hidden = share + coarse
        return ops.convert_to_numpy(self._run_constant(hidden[None]))[0]

    def classify(self, image, coarse, result):
        """Writes the probabilities of a tile into `result`.

        Args:
            image: Voxels of the tile with their halo.
            coarse: The hidden layer's share of the low-resolution path.
            result: Where the probabilities go.
        """
        x, y = (maps[0] for maps in self._run_trunk(image[None]))
        for place in tiles_of((0, 0), coarse.shape[:2], _piece(coarse.shape)):
            rows, columns = (
                slice(CONTEXT_STRIDE * p.start, CONTEXT_STRIDE * p.stop)
                for p in place
            )
            # Of whole rows, TensorFlow makes no copy.
            piece = self._run_head(
                x[rows, columns][None],
                y[rows, columns][None],
                coarse[place][None],
            )
            result[rows, columns] = ops.convert_to_numpy(piece)[0]


def _counts(model):
    """Weights of each convolution, and the voxels that are lost before it.

    All are valid convolutions without strides, so that one size tells of all;
    what the layers are given besides the first input has a size of its own.
    """
    shapes = [
        (1, *_sides_of(number), tensor.shape[-1])
        for number, tensor in enumerate(model.inputs)
    ]
    return [
        (weights, _REFERENCE - positions[1])
        for weights, positions in products(model, shapes)
    ]


def _sides_of(number):
    """Sides of an input: the third one of the head is in context voxels."""
    return ((_REFERENCE if number < 2 else _REFERENCE // CONTEXT_STRIDE),) * 3


def _counted(counts, sides):
    """Multiplications for a first input of these sides."""
    return sum(
        weights * math.prod(n - lost for n in sides) for weights, lost in counts
    )


def _piece(shape):
    """Rows and columns of context voxels that the last layers see at a time."""
    rows, columns, depth = shape[:3]
    most = min(_PIECE, max(_LEAST_PIECE, rows * columns * depth // 8))
    if columns * depth > most:
        return 1, _even(columns, most // depth)
    return _even(rows, most // (columns * depth)), columns


def _even(size, most):
    """Size of equal parts of `size` that are as large as `most` allows."""
    parts = -(-size // max(1, most))
    return -(-size // parts)


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
