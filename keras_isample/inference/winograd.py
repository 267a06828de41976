"""3x3x3 convolutions with half of the multiplications.

Winograd's minimal filtering F(4, 3) along the first spatial axis (Lavin and
Gray, CVPR 2016): four rows of the result are mixed from six convolutions with
3x3 kernels of six mixtures of rows, not from twelve of the rows themselves. The
rows are mixed at the points 0, +-2/3, +-3/2 and infinity, with which rounding
errors are 1.3 times those of sums of one product after the other, as oneDNN
makes them (1.9 times with the usual 0, +-1, +-2). Eigen, which TensorFlow uses
without oneDNN, adds sums of blocks, whose errors are half as large.

On CPUs, TensorFlow alone, float32 alone: processors multiply 16-bit numbers so
fast that mixing the rows would take what it saves. XLA mixes the rows; it takes
a fifth of a second to compile that for each size and convolution, and keeps the
program, half a megabyte, as long as the process lives.
"""

import functools
import math
from collections import Counter

import keras
import numpy as np
from keras import layers
from keras import ops
from numpy.polynomial import polynomial

from keras_isample.processor import usable_cores

_POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
"""Finite ones. Infinity comes last."""

_STEP = 4
"""Rows of the result that are made together."""

_LEAST_MAPS = 16
"""Maps of the input from which on the multiplications outweigh the mixing."""

_VOXELS_PER_CORE = 4 << 20
"""Of one size, that pay for compiling (measured on two cores: 8 convolutions of
20 to 40 maps gain 1.2 s on 4.6 million voxels and take 1.5 s to compile)."""

_MOST_SIZES = 24
"""That are compiled in one process, for its memory."""

_compiled = set()


class WinogradConv3D(layers.Conv3D):
    """A valid 3x3x3 convolution of one image with few multiplications.

    It has the weights of a `Conv3D`, kernel and bias, and its result up to
    rounding. A batch must hold one image, and no activation follows.
    """

    def call(self, inputs):
        import tensorflow as tf

        mix, unmix = _row_functions()
        mixed = _matrices()[1].astype(np.float32)
        kernels = tf.unstack(ops.tensordot(mixed, self.kernel, 1))
        parts = [
            tf.nn.conv2d(rows, kernel, 1, "VALID")
            for rows, kernel in zip(mix(inputs[0]), kernels, strict=True)
        ]
        bias = tf.convert_to_tensor(self.bias)
        # XLA knows the size of an array, not the value of a number.
        return unmix(parts, bias, inputs[0, 2:, 0, 0, 0])[None]


def winograd_class(layer):
    """Class of the copy of a layer that is to run fast on CPUs.

    Args:
        layer: A Keras layer.

    Returns:
        `WinogradConv3D` where that saves time and gives the same; the layer's
        own class otherwise.
    """
    fits = (
        type(layer) is layers.Conv3D
        and layer.kernel_size == (3, 3, 3)
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and {*layer.strides, *layer.dilation_rate} == {1}
        and layer.kernel.shape[-2] >= _LEAST_MAPS
        and layer.activation is keras.activations.linear
        and layer.dtype_policy.compute_dtype == "float32"
    )
    return WinogradConv3D if fits and _on_cpu() else type(layer)


def sizes_to_compile(sizes):
    """Sizes of images that make it worth while to compile for them.

    Once a process has compiled for many sizes, there are no further ones.

    Args:
        sizes: Sides in voxels of all images to come, a triple each.

    Returns:
        Set of triples.
    """
    voxels = Counter()
    for sides in sizes:
        voxels[tuple(sides)] += math.prod(sides)
    least = _VOXELS_PER_CORE * usable_cores()
    found = set()
    for sides, count in voxels.most_common():
        if count >= least and len(_compiled | {sides}) <= _MOST_SIZES:
            _compiled.add(sides)
            found.add(sides)
    return found


def _on_cpu():
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    devices = tf.config.list_logical_devices()
    return all(device.device_type == "CPU" for device in devices)


@functools.cache
def _matrices():
    """How rows are mixed: of the image, of the kernel, of the convolutions.

    Returns:
        Arrays `B`, `(6, 6)`, `G`, `(6, 3)`, and `A`, `(4, 6)`, such that four
        rows of the result are `A ((G kernel) * (B rows))`.
    """
    points = np.array(_POINTS)
    image, kernel = np.zeros((6, 6)), np.zeros((6, 3))
    for i, point in enumerate(points):
        roots = np.delete(points, i)
        image[i, :5] = polynomial.polyfromroots(roots)
        kernel[i] = point ** np.arange(3) / np.prod(point - roots)
    image[5] = polynomial.polyfromroots(points)
    kernel[5, 2] = 1
    result = np.zeros((_STEP, 6))
    result[:, :5] = np.vander(points, _STEP, increasing=True).T
    result[-1, 5] = 1
    return image, kernel, result


@functools.cache
def _row_functions():
    """Compiled functions that mix rows, before and after the convolutions."""
    import tensorflow as tf

    image, _, result = _matrices()

    @tf.function(jit_compile=True, autograph=False)
    def mix(rows):
        """Rows `(x, y, z, maps)` to six mixtures, every one of a quarter."""
        count = tf.shape(rows)[0] - 2
        steps = -(-count // _STEP)
        parts = [rows[i : i + _STEP * steps : _STEP] for i in range(len(image))]
        # Padding the rows themselves would make a copy of them.
        parts = [
            tf.pad(part, [[0, steps - tf.shape(part)[0]]] + [[0, 0]] * 3)
            for part in parts
        ]
        return [_mixture(weights, parts) for weights in image]

    @tf.function(jit_compile=True, autograph=False)
    def unmix(parts, bias, like):
        """Six convolutions to the rows of the result, as many as `like` has."""
        rows = [_mixture(weights, parts) + bias for weights in result]
        sides = tf.shape(rows[0])
        rows = tf.reshape(
            tf.stack(rows, axis=1), tf.concat([[-1], sides[1:]], 0)
        )
        return rows[: tf.shape(like)[0]]

    return mix, unmix


def _mixture(weights, parts):
    return sum(
        part if weight == 1 else np.float32(weight) * part
        for weight, part in zip(weights, parts, strict=True)
        if abs(weight) > 1e-12
    )
