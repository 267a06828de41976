"""Memory of networks, from the shapes of their maps."""

import keras
from keras import layers

from keras_isample.inference.map_memory import bytes_per_voxel


def model_of(*stack, channels=1):
    image = keras.Input((None, None, channels))
    x = image
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


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
    assert bytes_per_voxel(model, 2) == 4 * (8 + 8 + 16)
    # Before that: the skip, and a quarter of 16 maps beside 8 that come up.
    assert bytes_per_voxel(keras.Model(image, y), 2) == 4 * (8 + 8 + 16)


def test_bytes_follow_the_type():
    layer = layers.Conv2D(6, 1, dtype="bfloat16")
    assert bytes_per_voxel(model_of(layer)) == 4 * 1 + 2 * 6


def test_what_layers_put_around_an_image_hardly_counts():
    padding = layers.ZeroPadding2D(8)
    model = model_of(padding, layers.Conv2D(3, 1), layers.Conv2D(1, 17))
    assert 4 * 4 <= bytes_per_voxel(model) < 1.3 * 4 * 4
