"""Batch normalization of large 3D maps, faster than by its plain formula.

The same layer as Keras', weights, configuration and results included; only the
training step differs. Its gradient is written out (Ioffe & Szegedy, 2015,
section 3) instead of left to automatic differentiation, and the maps are seen
as fewer, longer rows, so that operations with one number per map run over
whole vector registers, however few maps there are (10 in the first stage).

The gradient reaches the input by one way instead of three. Besides the time,
that makes the step repeatable: TensorFlow adds three or more gradients of one
tensor in the order in which they happen to be ready, and sums of floats depend
on the order.
"""

import math

import keras
from keras import layers
from keras import ops

LONGEST_ROW = 16
"""Voxels that are put into one row, at most."""


@keras.saving.register_keras_serializable(package="keras_isample")
class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` with a faster training step.

    Arguments are those of the Keras layer. With `synchronized=True`,
    `renorm=True`, a mask or an axis other than the last, it is the Keras layer.

    Call arguments:
        inputs: Maps, shape `(batch, ..., maps)`.
        training: Whether to normalize by the statistics of the batch and
            follow them with the moving ones.
        mask: As in Keras.

    Returns:
        The shape and type of `inputs`. The arithmetic is in float32 at least.
    """

    _shared = False

    def call(self, inputs, training=None, mask=None):
        if self._shared and not self.synchronized:
            # Not in the configuration: it belongs to this training only.
            self.synchronized = True
            try:
                return super().call(inputs, training=training, mask=mask)
            finally:
                self.synchronized = False
        axis = self.axis % len(inputs.shape)
        if (
            not (training and self.trainable)
            or mask is not None
            or self.synchronized
            or getattr(self, "renorm", False)
            or axis != len(inputs.shape) - 1
        ):
            return super().call(inputs, training=training, mask=mask)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        working = keras.backend.result_type(dtype, "float32")
        x = ops.cast(inputs, working)
        mean, variance, count = _moments(x)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        maps = x.shape[-1]
        gamma = self.gamma if self.scale else ops.ones(maps)
        beta = self.beta if self.center else ops.zeros(maps)
        y = _normalize(
            x,
            ops.cast(gamma, working),
            ops.cast(beta, working),
            mean,
            ops.rsqrt(variance + self.epsilon),
            count,
        )
        return ops.cast(y, dtype)

    def _follow(self, moving, value):
        value = ops.cast(value, moving.dtype)
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


def synchronize(model):
    """Makes every normalization use the statistics of the whole batch.

    Under a distribution strategy each replica would otherwise normalize its
    own part of the batch. Needs TensorFlow. A saved model does not remember
    it, so that it loads with other backends.

    Args:
        model: A model that has not been trained yet.
    """
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer._shared = True


def _moments(x):
    """Mean and variance of every map, and the number of its voxels.

    No gradient passes: that of `_normalize` accounts for them.
    """
    rows, repeats = _rows(ops.stop_gradient(x))
    maps = x.shape[-1]
    count = ops.cast(ops.size(rows), x.dtype) / maps
    mean = _sum(rows, repeats) / count
    square = _sum(rows * rows, repeats) / count
    return mean, ops.maximum(square - mean * mean, 0.0), count


def _normalize(x, gamma, beta, mean, inverse, count):
    """`gamma * (x - mean) * inverse + beta` with the batch's own statistics.

    The gradient with respect to `x` includes the dependence of `mean` and of
    `inverse` (1 / standard deviation) on `x`.
    """

    @ops.custom_gradient
    def normalize(x, gamma, beta, mean, inverse):
        rows, repeats = _rows(x)
        scale = gamma * inverse
        y = rows * _tiled(scale, repeats)
        y = y + _tiled(beta - mean * scale, repeats)

        def gradient(*given, upstream=None):
            dy = given[0] if upstream is None else upstream
            dy = ops.reshape(dy, ops.shape(rows))
            dbeta = _sum(dy, repeats)
            dgamma = inverse * (_sum(dy * rows, repeats) - mean * dbeta)
            # dx = scale * (dy - dbeta / n - normalized x * dgamma / n)
            slope = -scale * inverse * dgamma / count
            offset = -scale * dbeta / count - slope * mean
            dx = dy * _tiled(scale, repeats) + (
                rows * _tiled(slope, repeats) + _tiled(offset, repeats)
            )
            dx = ops.reshape(dx, ops.shape(x))
            return dx, dgamma, dbeta, None, None

        return ops.reshape(y, ops.shape(x)), gradient

    return normalize(x, gamma, beta, mean, inverse)


def _rows(x):
    """Maps as rows of several voxels, and the number of voxels in a row."""
    voxels = math.prod(side or 1 for side in x.shape[:-1])
    repeats = math.gcd(voxels, LONGEST_ROW)
    return ops.reshape(x, (-1, repeats * x.shape[-1])), repeats


def _sum(rows, repeats):
    """The sum over all voxels of every map."""
    total = ops.sum(rows, axis=0)
    return ops.sum(ops.reshape(total, (repeats, -1)), axis=0)


def _tiled(values, repeats):
    """One number per map, repeated for every voxel of a row."""
    return ops.tile(values, (repeats,))
