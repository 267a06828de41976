"""Convolutions with few multiplications give what plain ones do."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference import winograd
from keras_isample.inference.compiled import compiled
from keras_isample.inference.winograd import WinogradConv3D
from keras_isample.inference.winograd import sizes_to_compile
from keras_isample.inference.winograd import winograd_class

on_cpu = pytest.mark.skipif(
    not winograd._on_cpu(), reason="on TensorFlow without a GPU alone"
)


def built(maps=16, filters=4, kernel_size=3, **options):
    layer = layers.Conv3D(filters, kernel_size, **options)
    layer.build((None, None, None, None, maps))
    return layer


@pytest.fixture(scope="module")
def pair():
    """Compiled functions: plain and with few multiplications."""
    plain = built(
        20,
        24,
        kernel_initializer=keras.initializers.HeNormal(seed=1),
        bias_initializer=keras.initializers.RandomNormal(seed=2),
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


@on_cpu
@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7, 13])
def test_it_is_a_convolution(pair, rows):
    plain, fast, _ = pair
    image = np.random.default_rng(rows).normal(size=(1, rows, 5, 6, 20))
    image = image.astype(np.float32)
    expected = np.array(plain(image))
    found = np.array(fast(image))
    assert found.shape == expected.shape == (1, rows - 2, 3, 4, 24)
    assert np.abs(found - expected).max() < 3e-6 * np.abs(expected).max()


@on_cpu
def test_rounding_is_hardly_larger_than_that_of_plain_sums(pair):
    _, fast, layer = pair
    image = np.random.default_rng(0).normal(size=(1, 34, 12, 12, 20))
    image = image.astype(np.float32)
    kernel, bias = (np.float64(weight) for weight in layer.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(
        np.float64(image[0]), (3, 3, 3), axis=(0, 1, 2)
    )
    exact = np.einsum("xyzcijk,ijkcf->xyzf", windows, kernel) + bias
    # One product after the other, as oneDNN adds them. Eigen adds sums of
    # blocks, which halves its errors: it would be another measure.
    plain = np.zeros(exact.shape, np.float32)
    products = (
        windows.astype(np.float32)[:, :, :, channel, i, j, k, None]
        * layer.kernel.numpy()[i, j, k, channel]
        for i, j, k in np.ndindex(3, 3, 3)
        for channel in range(20)
    )
    for product in products:
        plain += product
    plain += np.float32(bias)
    errors = [np.std(x - exact) for x in (plain, np.array(fast(image))[0])]
    # 1.3 times; 1.9 times at the points 0, +-1, +-2.
    assert errors[1] < 1.6 * errors[0]


@on_cpu
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
        built(40, activation="relu"),
    ],
)
def test_where_it_does_not_or_would_give_something_else(layer):
    assert winograd_class(layer) is layers.Conv3D


def test_other_layers_keep_their_class():
    assert winograd_class(layers.ReLU()) is layers.ReLU
    layer = layers.Conv2D(4, 3)
    layer.build((None, None, None, 40))
    assert winograd_class(layer) is layers.Conv2D


def test_not_where_there_is_a_gpu(monkeypatch):
    tf = pytest.importorskip("tensorflow")

    class Device:
        device_type = "GPU"

    known = tf.config.list_logical_devices()
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda: [*known, Device]
    )
    assert winograd_class(built(40)) is layers.Conv3D


@pytest.fixture
def two_cores(monkeypatch):
    """A fresh process on two cores, where 120 voxels pay for compiling."""
    monkeypatch.setattr(winograd, "_VOXELS_PER_CORE", 60)
    monkeypatch.setattr(winograd, "usable_cores", lambda: 2)
    monkeypatch.setattr(winograd, "_compiled", set())


def test_a_size_is_frequent_by_the_voxels_of_all_its_images(two_cores):
    sizes = [(4, 5, 3)] * 2 + [(5, 4, 3)] + [(4, 4, 3)] * 2 + [(10, 10, 10)]
    assert sizes_to_compile(sizes) == {(4, 5, 3), (10, 10, 10)}
    assert sizes_to_compile([]) == set()


def test_a_process_compiles_for_few_sizes(two_cores, monkeypatch):
    monkeypatch.setattr(winograd, "_MOST_SIZES", 2)
    assert sizes_to_compile([(5, 5, 5)]) == {(5, 5, 5)}
    # The one of more voxels.
    sizes = [(5, 5, 6), (5, 5, 7), (5, 5, 5)]
    assert sizes_to_compile(sizes) == {(5, 5, 7), (5, 5, 5)}
    assert sizes_to_compile(sizes) == {(5, 5, 7), (5, 5, 5)}
