"""Folded copies compute what the trained layers do."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference.folding import FoldedNetwork
from keras_isample.inference.folding import folded_weights
from keras_isample.models import dual_path_resnet


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.normal(size=(1, 36, 36, 36, 1)).astype(np.float32)


def path_of(model):
    output = model.get_layer("high_rb1_relu").output
    return model.inputs[0], output


def test_a_path_of_the_network(randomize, image):
    inputs, output = path_of(randomize(dual_path_resnet(3, width=0.3)))
    folded = FoldedNetwork(inputs, output)
    folded.update()
    kinds = {type(layer) for layer in folded.model.layers}
    assert layers.BatchNormalization not in kinds
    expected = np.array(keras.Model(inputs, output)(image))
    result = np.array(folded.model(image))
    assert np.abs(expected).max() > 0.1
    assert np.abs(result - expected).max() < 1e-5 * np.abs(expected).max()


def test_values_by_hand():
    x = keras.Input((1,))
    dense = layers.Dense(1)
    normalization = layers.BatchNormalization(epsilon=0.5)
    normalization(dense(x))
    dense.set_weights([np.array([[3.0]]), np.array([1.0])])
    gamma, beta, mean, variance = 4.0, 7.0, 2.0, 3.5
    normalization.set_weights(np.array([[gamma], [beta], [mean], [variance]]))
    # (3 x + 1 - 2) / sqrt(3.5 + 0.5) * 4 + 7 = 6 x + 5
    kernel, bias = folded_weights(dense, normalization)
    assert kernel.tolist() == [[6.0]] and bias.tolist() == [5.0]


def test_a_convolution_without_bias_and_a_normalization_without_scale():
    x = keras.Input((None, None, 2))
    y = layers.Conv2D(3, 3, use_bias=False, name="conv")(x)
    y = layers.BatchNormalization(center=False, scale=False, name="bn")(y)
    rng = np.random.default_rng(0)
    model = keras.Model(x, y)
    mean, variance = rng.normal(size=3), rng.uniform(0.5, 2, 3)
    model.get_layer("bn").set_weights([mean, variance])
    folded = FoldedNetwork(x, y)
    folded.update()
    patch = rng.normal(size=(1, 5, 5, 2)).astype(np.float32)
    expected = np.array(model(patch))
    assert np.array(folded.model(patch)) == pytest.approx(expected, abs=1e-5)


def test_what_others_read_before_the_normalization_is_left_alone():
    x = keras.Input((4,))
    y = layers.Dense(4, name="dense")(x)
    z = layers.BatchNormalization(name="bn")(y)
    z = layers.Add()([y, z])
    model = keras.Model(x, z)
    model.get_layer("bn").set_weights(
        [np.full(4, 2.0), np.ones(4), np.ones(4), np.full(4, 3.0)]
    )
    folded = FoldedNetwork(x, z)
    folded.update()
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    expected = np.array(model(values))
    assert np.array(folded.model(values)) == pytest.approx(expected, abs=1e-5)


def test_an_activation_before_the_normalization_is_left_alone():
    x = keras.Input((4,))
    y = layers.Dense(4, activation="relu")(x)
    y = layers.BatchNormalization(name="bn")(y)
    model = keras.Model(x, y)
    model.get_layer("bn").set_weights(
        [np.full(4, 2.0), np.ones(4), np.ones(4), np.full(4, 3.0)]
    )
    folded = FoldedNetwork(x, y)
    folded.update()
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    expected = np.array(model(values))
    assert np.array(folded.model(values)) == pytest.approx(expected, abs=1e-5)


def test_update_takes_over_later_weights(randomize, image):
    model = dual_path_resnet(3, width=0.2)
    inputs, output = path_of(randomize(model, 0))
    folded = FoldedNetwork(inputs, output)
    folded.update()
    before = np.array(folded.model(image))
    variables = [id(variable) for variable in folded.model.variables]
    randomize(model, 1)
    folded.update()
    after = np.array(folded.model(image))
    assert variables == [id(variable) for variable in folded.model.variables]
    expected = np.array(keras.Model(inputs, output)(image))
    assert np.abs(after - before).max() > 0.01
    assert np.abs(after - expected).max() < 1e-5 * np.abs(expected).max()


class Doubled(keras.layers.Conv3D):
    """Does something else with its kernel."""

    def call(self, inputs):
        return super().call(2 * inputs)


def test_a_layer_of_unknown_kind_is_left_as_it_is(randomize):
    image = keras.Input((6, 6, 6, 1))
    x = Doubled(3, 3, padding="same")(image)
    x = keras.layers.BatchNormalization()(x)
    model = randomize(keras.Model(image, x))
    folded = FoldedNetwork(image, x)
    folded.update()
    values = np.random.default_rng(0).normal(size=(1, 6, 6, 6, 1))
    found = folded.model.predict_on_batch(values)
    np.testing.assert_allclose(found, model.predict_on_batch(values), atol=1e-5)
