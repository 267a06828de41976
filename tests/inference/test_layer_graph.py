"""Reach and memory of networks, from their layers."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference.layer_graph import bytes_per_voxel
from keras_isample.inference.layer_graph import reach
from keras_isample.models import deeplab_v3
from keras_isample.models import measure_receptive_field
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.models.upsampling import LinearUpsampling


def model_of(*stack, channels=1):
    image = keras.Input((None, None, channels))
    x = image
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    "stack, expected",
    [
        ([layers.Conv2D(2, 5, padding="same")], (2, 2)),
        ([layers.Conv2D(2, 2, padding="same")], (0, 1)),
        ([layers.Conv2D(2, 3, padding="same", dilation_rate=4)], (4, 4)),
        # Voxel 1 of a pair sees voxel 0, which is 1 before it, and itself.
        ([layers.MaxPooling2D(2), LinearUpsampling(2)], (2, 2)),
        (
            [layers.MaxPooling2D(2), layers.Conv2DTranspose(1, 2, strides=2)],
            (1, 1),
        ),
        (
            [
                layers.MaxPooling2D(2),
                layers.Conv2D(1, 3, padding="same"),
                layers.Conv2DTranspose(1, 2, strides=2),
            ],
            (3, 3),
        ),
    ],
)
def test_reach_of_few_layers(stack, expected):
    assert reach(model_of(*stack)) == expected


@pytest.mark.parametrize(
    "build",
    [
        lambda: unet(
            2,
            input_shape=(128, 8, 1),
            filters=(1, 1, 1),
            classifier_activation=None,
        ),
        lambda: unet3plus(
            2,
            input_shape=(128, 8, 1),
            filters=(1, 1, 1),
            skip_filters=1,
            classifier_activation=None,
        ),
    ],
)
def test_reach_holds_what_is_measured(build):
    model = build()
    before, after = reach(model)
    seen = []
    # Each place within a block of 4 voxels has a field of its own.
    for index in range(64, 68):
        first, last = measure_receptive_field(model, output_index=index)
        seen.append((index - first, last - index))
    assert 0 < first and last < 127
    most = np.max(seen, axis=0)
    assert most[0] <= before and most[1] <= after
    # Not more than a block is read in vain.
    assert before - most[0] <= 8 and after - most[1] <= 8


def test_layers_of_unknown_reach_are_refused():
    with pytest.raises(ValueError, match="class AveragePooling2D"):
        reach(model_of(layers.AveragePooling2D(2, name="pool")))
    with pytest.raises(ValueError, match="Received: layer"):
        reach(deeplab_v3(2, width=0.02))


def test_bytes_of_a_chain_are_those_of_the_two_largest_neighbors():
    # 1, 3 and 5 float32 maps; the activation works in place.
    model = model_of(layers.Conv2D(3, 1), layers.ReLU(), layers.Conv2D(5, 1))
    assert bytes_per_voxel(model) == 4 * (3 + 5)


def test_bytes_count_a_skip_until_it_is_read():
    image = keras.Input((None, None, 1))
    x = layers.Conv2D(8, 1)(image)
    deep = layers.MaxPooling2D(2)(x)
    deep = layers.Conv2D(16, 1)(deep)
    y = layers.Conv2DTranspose(8, 2, strides=2)(deep)
    y = layers.Concatenate()([x, y])
    # All of the skip, what came up, and both again side by side.
    model = keras.Model(image, layers.Conv2D(2, 1)(y))
    assert bytes_per_voxel(model) == 4 * (8 + 8 + 16)
    # Before that: the skip, and a quarter of 16 maps beside 8 that come up.
    assert bytes_per_voxel(keras.Model(image, y)) == 4 * (8 + 8 + 16)


def test_bytes_follow_the_type():
    layer = layers.Conv2D(6, 1, dtype="bfloat16")
    assert bytes_per_voxel(model_of(layer)) == 4 * 1 + 2 * 6
