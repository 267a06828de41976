"""The receptive field of a model, measured and not claimed."""

import keras
import numpy as np
from keras import layers


def measure_receptive_field(model, *, axis=0, output_index=None):
    """Voxels of the input that one output voxel depends on, along one axis.

    A copy of the model gets kernels of ones and normalizations that do
    nothing, so that no contribution can cancel or be switched off; then the
    first and the last input plane that change the output voxel are found by
    bisection over half-spaces of a zero input. Only forward passes are needed,
    which makes it independent of the backend.

    Args:
        model: A functional model with one input of fixed sides, without a
            softmax.
        axis: Spatial axis, 0, 1 or 2.
        output_index: Index of the output voxel along `axis`; the middle one if
            `None`.

    Returns:
        Pair `(first, last)` of input indices; the receptive field is
        `last - first + 1` voxels.
    """
    probe = keras.models.clone_model(model)
    for layer in _leaves(probe):
        if isinstance(layer, layers.BatchNormalization):
            ones = np.ones_like(layer.get_weights()[0])
            layer.set_weights([ones, 0 * ones, 0 * ones, ones])
        elif layer.get_weights():
            kernel, *bias = layer.get_weights()
            layer.set_weights(
                [np.ones_like(kernel) / kernel.size, *(0 * b for b in bias)]
            )
    shape = (1, *model.inputs[0].shape[1:])
    side = shape[axis + 1]
    target = [n // 2 for n in model.outputs[0].shape[1:4]]
    if output_index is not None:
        target[axis] = output_index

    def seen(first, last):
        volume = np.zeros(shape, "float32")
        slices = [slice(None)] * len(shape)
        slices[axis + 1] = slice(first, last + 1)
        volume[tuple(slices)] = 1e12
        return np.any(probe.predict_on_batch(volume)[0][tuple(target)] != 0)

    if not seen(0, side - 1):
        raise ValueError("No input voxel changes the output voxel.")
    low, high = 0, side - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(0, middle) else (middle + 1, high)
    first = low
    low, high = first, side - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if seen(middle, side - 1) else (low, middle - 1)
        )
    return first, low


def _leaves(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer
