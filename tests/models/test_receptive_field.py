"""The receptive field, measured on models whose field is known."""

import keras
import pytest
from keras import layers

from keras_isample.models import measure_receptive_field


def model_of(*stack, sides=(21, 21, 21)):
    volume = keras.Input((*sides, 1))
    x = volume
    for layer in stack:
        x = layer(x)
    return keras.Model(volume, x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_field_of_one_convolution(axis):
    model = model_of(layers.Conv3D(2, (3, 5, 7)))
    # The middle output voxel is 9, 8 or 7; valid convolutions start at it.
    middle = (9, 8, 7)[axis]
    size = (3, 5, 7)[axis]
    assert measure_receptive_field(model, axis=axis) == (
        middle,
        middle + size - 1,
    )


def test_a_stride_widens_the_field_of_what_follows():
    model = model_of(layers.Conv3D(2, 3, strides=2), layers.Conv3D(2, 3))
    # 3 + 2 * (3 - 1) voxels from 2 * 4 on.
    assert measure_receptive_field(model, output_index=4) == (8, 14)


def test_a_normalization_of_gamma_0_hides_nothing():
    model = model_of(
        layers.Conv3D(2, 5),
        layers.BatchNormalization(gamma_initializer="zeros"),
    )
    first, last = measure_receptive_field(model)
    assert last - first + 1 == 5


def test_the_model_keeps_its_weights():
    model = model_of(layers.Conv3D(1, 3))
    before = model.get_weights()[0].copy()
    measure_receptive_field(model)
    assert (model.get_weights()[0] == before).all()


def test_the_edge_of_the_input_can_be_seen():
    model = model_of(layers.Conv3D(1, 3), sides=(9, 9, 9))
    assert measure_receptive_field(model, output_index=0) == (0, 2)
    assert measure_receptive_field(model, output_index=6) == (6, 8)


def test_an_output_that_sees_nothing_is_an_error():
    model = model_of(layers.Conv3D(1, 3), layers.ReLU(max_value=0.0))
    with pytest.raises(ValueError, match="No input voxel"):
        measure_receptive_field(model)
