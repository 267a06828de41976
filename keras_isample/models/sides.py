"""Inputs of any size for networks that halve the sides several times.

Each side is padded with zeros, as by the convolutions themselves, to the next
multiple of what the network needs, and the maps are cropped back. Padding is
put at the end of an axis alone, so that index 0 stays where it is.
"""

import keras
from keras import layers
from keras import ops


def pad_sides(x, multiple):
    """Pads the spatial axes to multiples where they may need it.

    Args:
        x: Keras tensor, shape `(batch, *spatial, maps)`.
        multiple: Positive integer.

    Returns:
        Keras tensor; `x` itself if its sides are known to be multiples.
    """
    if all(n is not None and n % multiple == 0 for n in x.shape[1:-1]):
        return x
    return PadSides(multiple, name="pad_sides")(x)


def crop_sides(x, image, name="crop_sides"):
    """Crops maps to the size of the image that they were made from.

    Args:
        x: Keras tensor, shape `(batch, *spatial, maps)`, at least as large.
        image: Keras tensor, shape `(batch, *spatial, channels)`.
        name: Name of the layer.

    Returns:
        Keras tensor; `x` itself if it is known to have the size of `image`.
    """
    sides = image.shape[1:-1]
    if None not in sides and tuple(sides) == tuple(x.shape[1:-1]):
        return x
    return CropSides(name=name)([x, image])


@keras.saving.register_keras_serializable(package="keras_isample")
class PadSides(layers.Layer):
    """Zeros at the end of each spatial axis, up to a multiple.

    Args:
        multiple: What the sides of the output are multiples of.

    Call arguments:
        inputs: Shape `(batch, *spatial, maps)`.
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs):
        # Not `ops.pad`: TensorFlow 2.21 merges a Pad into the 3D convolution
        # after it and then takes that for a valid one.
        x = inputs
        for axis in range(1, len(inputs.shape) - 1):
            shape = list(ops.shape(x))
            shape[axis] = -shape[axis] % self.multiple
            x = ops.concatenate([x, ops.zeros(shape, x.dtype)], axis=axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, *sides, maps = input_shape
        sides = [n if n is None else n + -n % self.multiple for n in sides]
        return (batch, *sides, maps)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="keras_isample")
class CropSides(layers.Layer):
    """The first voxels of each spatial axis, as many as another tensor has.

    Call arguments:
        inputs: Maps, shape `(batch, *spatial, maps)`, and a tensor whose
            spatial axes are at most as long.

    Returns:
        Maps with the spatial axes of the second tensor.
    """

    def call(self, inputs):
        x, like = inputs
        sides = ops.shape(like)[1:-1]
        return x[(slice(None), *(slice(0, n) for n in sides))]

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], *like[1:-1], x[-1])
