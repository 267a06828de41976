"""Linear upsampling, by hand and against Keras' own in 2D."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_isample.models.upsampling import LinearUpsampling


def test_a_row_by_hand():
    row = np.array([0.0, 4.0, 8.0], "float32").reshape(1, 3, 1, 1)
    result = np.array(LinearUpsampling(2)(row))
    assert result.shape == (1, 6, 2, 1)
    assert result[0, :, 0, 0].tolist() == [0, 1, 3, 5, 7, 8]
    assert (result[:, :, 0] == result[:, :, 1]).all()


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_2d_is_bilinear(factor):
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype("float32")
    expected = keras.ops.image.resize(x, (5 * factor, 3 * factor))
    result = np.array(LinearUpsampling(factor)(x))
    assert result == pytest.approx(np.array(expected), abs=1e-5)


def test_3d_is_linear_along_each_axis():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2)).astype("float32")
    result = np.array(LinearUpsampling(2)(x))
    assert result.shape == (2, 6, 8, 10, 2)
    # Inner voxel 1 of a pair is 3/4 of its own and 1/4 of the next.
    share = np.array([0.75, 0.25])
    expected = np.einsum(
        "bxyzc,x,y,z->bc", x[:, 1:3, 1:3, 2:4], share, share, share
    )
    assert result[:, 3, 3, 5] == pytest.approx(expected, abs=1e-5)


def test_unknown_sizes_in_a_graph():
    layer = LinearUpsampling(4)
    run = tf.function(
        layer, input_signature=[tf.TensorSpec((None, None, None, 2))]
    )
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 2)).astype("float32")
    assert run(x).numpy() == pytest.approx(np.array(layer(x)), abs=1e-6)


def test_the_type_stays_and_the_config_round_trips():
    layer = LinearUpsampling(2, dtype="bfloat16")
    assert keras.ops.dtype(layer(np.ones((1, 2, 2, 1)))) == "bfloat16"
    again = LinearUpsampling.from_config(layer.get_config())
    assert again.factor == 2
