"""Linear interpolation between the voxels of a map, in 2D and 3D."""

import keras
from keras import layers
from keras import ops


@keras.saving.register_keras_serializable(package="keras_isample")
class LinearUpsampling(layers.Layer):
    """Bilinear (2D) or trilinear (3D) upsampling by a whole factor.

    A voxel is a box: voxel `i` of the output lies at `(i + 0.5) / factor - 0.5`
    of the input (half-pixel centers, torch's `align_corners=False`), and
    beyond the middle of the last voxel its value is repeated. The layers of
    Keras interpolate in 2D alone.

    Args:
        factor: Voxels of the output for each voxel of the input, along each
            axis.

    Call arguments:
        inputs: Shape `(batch, *spatial, maps)` with 2 or 3 spatial axes.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        maps = inputs.shape[-1]
        shape = ops.shape(inputs)
        factor = self.factor
        if len(inputs.shape) == 4:
            return _resize(inputs, shape[1] * factor, shape[2] * factor)
        batch, x, y, z = shape[:4]
        planes = ops.reshape(inputs, (batch * x, y, z, maps))
        y, z = y * factor, z * factor
        planes = _resize(planes, y, z)
        # The second resize leaves the merged axis as it is.
        planes = ops.reshape(planes, (batch, x, y * z, maps))
        planes = _resize(planes, x * factor, y * z)
        return ops.reshape(planes, (batch, x * factor, y, z, maps))

    def compute_output_shape(self, input_shape):
        batch, *sides, maps = input_shape
        sides = [n if n is None else n * self.factor for n in sides]
        return (batch, *sides, maps)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def _resize(images, height, width):
    resized = ops.image.resize(
        images,
        (height, width),
        interpolation="bilinear",
        data_format="channels_last",
    )
    return ops.cast(resized, images.dtype)
