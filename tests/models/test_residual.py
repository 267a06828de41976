"""Residual blocks: sizes, parameters, identity at the start."""

import keras
import numpy as np
import pytest

from keras_isample.models.residual import bottleneck_block
from keras_isample.models.residual import convolution
from keras_isample.models.residual import standard_block


def model_of(block, maps, filters, side=9, **options):
    x = keras.Input((side, side, side, maps))
    return keras.Model(x, block(x, filters, l2=1e-4, name="block", **options))


def batch(maps, side=9):
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, side, side, side, maps)).astype("float32")


# Parameters as in the layer table of the network page.
@pytest.mark.parametrize(
    "block, maps, filters, count",
    [
        (standard_block, 10, 10, 5_500),
        (standard_block, 10, 20, 16_700),
        (standard_block, 20, 20, 21_800),
        (standard_block, 20, 40, 66_200),
        (standard_block, 40, 40, 86_800),
        (bottleneck_block, 40, 40, 59_600),
        (bottleneck_block, 160, 40, 57_200),
    ],
)
def test_parameters_of_a_block(block, maps, filters, count):
    assert model_of(block, maps, filters).count_params() == count


@pytest.mark.parametrize("kernel_size, count", [(3, 320), (1, 60)])
def test_parameters_of_a_convolution(kernel_size, count):
    # k^3 * i * o + 5 * o
    model = model_of(convolution, 1, 10, kernel_size=kernel_size)
    assert model.count_params() == count


@pytest.mark.parametrize(
    "block, side, maps", [(standard_block, 5, 2), (bottleneck_block, 7, 8)]
)
def test_sides_and_maps_of_the_output(block, side, maps):
    model = model_of(block, 3, 2)
    assert model.output_shape == (None, side, side, side, maps)


@pytest.mark.parametrize(
    "block, crop", [(standard_block, 2), (bottleneck_block, 1)]
)
def test_a_fresh_block_is_its_cropped_shortcut(block, crop):
    maps = 2 if block is standard_block else 8
    model = model_of(block, maps, 2)
    x = batch(maps)
    inside = slice(crop, -crop)
    expected = np.maximum(x[:, inside, inside, inside], 0)
    assert np.array(model(x)) == pytest.approx(expected)


def test_the_shortcut_is_projected_where_the_width_changes():
    names = [layer.name for layer in model_of(standard_block, 3, 2).layers]
    assert "block_projection" in names and "block_projection_bn" in names
    same = [layer.name for layer in model_of(standard_block, 2, 2).layers]
    assert "block_projection" not in same


def test_the_projection_is_not_activated_before_the_sum():
    model = model_of(standard_block, 1, 2)
    names = [layer.name for layer in model.layers]
    assert "block_projection_relu" not in names
    assert "block_conv2_relu" not in names
    assert names[-2:] == ["block_add", "block_relu"]


def test_the_block_adds_both_branches(randomize):
    model = randomize(model_of(standard_block, 2, 2))
    parts = [
        model.get_layer(name).output
        for name in ("block_crop", "block_conv2_bn", "block_relu")
    ]
    crop, main, out = keras.Model(model.input, parts).predict_on_batch(batch(2))
    assert out == pytest.approx(np.maximum(crop + main, 0), abs=1e-6)
    assert np.abs(main).max() > 0.1


def test_the_penalty_is_l2_times_the_sum_of_squares():
    model = model_of(convolution, 1, 1, kernel_size=1)
    weights = [np.full((1,) * 5, 3.0), np.array([7.0])]
    model.get_layer("block").set_weights(weights)
    assert float(sum(model.losses)) == pytest.approx(9e-4)


def test_without_l2_there_is_no_penalty():
    x = keras.Input((5, 5, 5, 1))
    model = keras.Model(x, standard_block(x, 2, l2=0, name="block"))
    assert not model.losses
