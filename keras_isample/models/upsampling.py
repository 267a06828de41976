"""Linear interpolation between the voxels of a map, in 2D and 3D."""

import keras
from keras import layers
from keras import ops


@keras.saving.register_keras_serializable(package="keras_isample")
class LinearUpsampling(layers.Layer):
    """Bilinear (2D) or trilinear (3D) upsampling by a whole factor.

    A voxel is a box: voxel `i` of the output lies at `(i + 0.5) / factor - 0.5`
    of the input (half-pixel centers, torch's `align_corners=False`), and
    beyond the middle of the last voxel its value is repeated.

    Unlike that of Keras, the layer knows 3D, and images of unknown size inside
    of a `tf.function`. Each axis is a product with a matrix of at most two
    numbers a row: more multiplications than needed, but far faster on CPUs,
    and in the gradient above all, than sums of strided parts.

    Args:
        factor: Voxels of the output for each voxel of the input, along each
            axis.

    Call arguments:
        inputs: Shape `(batch, *spatial, maps)`.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        x = inputs
        # The last axis first, while the others are short.
        for axis in range(len(inputs.shape) - 2, 0, -1):
            x = _enlarge(x, self.factor, axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, *sides, maps = input_shape
        sides = [n if n is None else n * self.factor for n in sides]
        return (batch, *sides, maps)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def _enlarge(x, factor, axis):
    """Interpolates along one axis."""
    shape = list(ops.shape(x))
    shape[-1] = x.shape[-1]
    side = shape[axis]
    weights = ops.cast(_weights(side, factor), x.dtype)
    before, after = shape[:axis], shape[axis + 1 :]
    x = ops.reshape(x, (_product(before), side, _product(after)))
    x = ops.matmul(weights, x)
    return ops.reshape(x, (*before, side * factor, *after))


def _weights(side, factor):
    """Share of each voxel of an axis in each interpolated one, float32."""
    place = ops.cast(ops.arange(side * factor), "float32")
    place = (place + 0.5) / factor - 0.5
    place = ops.clip(place, 0.0, ops.cast(side - 1, "float32"))
    voxel = ops.cast(ops.arange(side), "float32")
    return ops.maximum(1.0 - ops.abs(place[:, None] - voxel), 0.0)


def _product(sides):
    total = 1
    for side in sides:
        total = total * side
    return total
