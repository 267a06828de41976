"""Convolutions with few multiplications give what plain ones do."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference import winograd
from keras_isample.inference.compiled import compiled
from keras_isample.inference.winograd import WinogradConv3D
from keras_isample.inference.winograd import frequent_sizes
from keras_isample.inference.winograd import winograd_class

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="on TensorFlow alone"
)


def built(maps=16, filters=4, kernel_size=3, **options):
    layer = layers.Conv3D(filters, kernel_size, **options)
    layer.build((None, None, None, None, maps))
    return layer


@pytest.fixture(scope="module")
def pair():
    """Compiled functions: plain and with few multiplications."""
    plain = built(
        20, 24, kernel_initializer="he_normal", bias_initializer="normal"
    )
    fast = WinogradConv3D.from_config(plain.get_config())
    image = keras.Input((None, None, None, 20))
    functions = [
        compiled(keras.Model(image, layer(image))) for layer in (plain, fast)
    ]
    fast.set_weights(plain.get_weights())
    return (*functions, plain)


def test_four_rows_of_a_small_sum_done_by_hand():
    image, kernel, result = winograd._matrices()
    rows, weights = np.array([1.0, 2, 4, 8, 16, 32]), np.array([1.0, -1, 3])
    found = result @ ((kernel @ weights) * (image @ rows))
    # 1 - 2 + 12, and each of the others is twice the one before.
    assert found == pytest.approx([11, 22, 44, 88], abs=1e-9)


@on_tensorflow
@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7, 13])
def test_it_is_a_convolution(pair, rows):
    plain, fast, _ = pair
    image = np.random.default_rng(rows).normal(size=(1, rows, 5, 6, 20))
    image = image.astype(np.float32)
    expected = np.array(plain(image))
    found = np.array(fast(image))
    assert found.shape == expected.shape == (1, rows - 2, 3, 4, 24)
    assert np.abs(expected).max() > 1
    assert found == pytest.approx(expected, abs=1e-5)


@on_tensorflow
def test_rounding_is_hardly_larger_than_that_of_a_plain_convolution(pair):
    plain, fast, layer = pair
    image = np.random.default_rng(0).normal(size=(1, 34, 12, 12, 20))
    image = image.astype(np.float32)
    kernel, bias = (np.float64(weight) for weight in layer.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(
        np.float64(image[0]), (3, 3, 3), axis=(0, 1, 2)
    )
    exact = np.einsum("xyzcijk,ijkcf->xyzf", windows, kernel) + bias
    errors = [np.std(np.array(run(image))[0] - exact) for run in (plain, fast)]
    assert errors[1] < 3 * errors[0]


@on_tensorflow
def test_where_it_saves_time():
    assert winograd_class(built(16)) is WinogradConv3D
    assert winograd_class(built(40, use_bias=False)) is WinogradConv3D


@pytest.mark.parametrize(
    "layer",
    [
        built(15),
        built(40, kernel_size=1),
        built(40, padding="same"),
        built(40, strides=2),
        built(40, dilation_rate=2),
        built(40, groups=2),
        built(40, dtype="mixed_bfloat16"),
        built(40, dtype="float64"),
    ],
)
def test_where_it_does_not_or_would_give_something_else(layer):
    assert winograd_class(layer) is layers.Conv3D


def test_other_layers_keep_their_class():
    assert winograd_class(layers.ReLU()) is layers.ReLU
    layer = layers.Conv2D(4, 3)
    layer.build((None, None, None, 40))
    assert winograd_class(layer) is layers.Conv2D


def test_a_size_is_frequent_by_the_voxels_of_all_its_images(monkeypatch):
    monkeypatch.setattr(winograd, "_VOXELS_PER_CORE", 60)
    monkeypatch.setattr(winograd.os, "sched_getaffinity", lambda _: {0, 1})
    sizes = [(4, 5, 3)] * 2 + [(5, 4, 3)] + [(4, 4, 3)] * 2 + [(10, 10, 10)]
    assert frequent_sizes(sizes) == {(4, 5, 3), (10, 10, 10)}
    assert frequent_sizes([]) == set()
