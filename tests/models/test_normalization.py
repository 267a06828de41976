"""Batch normalization: the same layer as Keras', in every respect."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_isample.models.normalization import BatchNormalization
from keras_isample.models.normalization import synchronize

SHAPES = [(2, 6, 6, 6, 10), (3, 5, 5, 5, 7), (1, 3, 1, 2, 1), (12, 3)]


def pair(shape, seed=0, **options):
    """Our layer and Keras', with the same weights, none at its default."""
    rng = np.random.default_rng(seed)
    pair = []
    for layer in (BatchNormalization, keras.layers.BatchNormalization):
        pair.append(layer(momentum=0.9, name="bn", **options))
        pair[-1].build((None, *shape[1:]))
    weights = [
        rng.uniform(0.5, 2, weight.shape).astype("float32")
        for weight in pair[0].weights
    ]
    for layer in pair:
        layer.set_weights(weights)
    return pair


def maps_like(shape, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 2.0, shape)
    return (values * rng.uniform(0.1, 5, shape[-1])).astype("float32")


def step(layer, x, signature=None):
    """Output and gradients of a training step with a weighted sum as loss."""
    weights = np.random.default_rng(9).normal(size=x.shape).astype("float32")

    @tf.function(input_signature=signature)
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = ops.sum(ops.cast(y, "float32") * weights)
        variables = [weight.value for weight in layer.trainable_variables]
        return y, tape.gradient(loss, [x, *variables])

    y, found = gradients(tf.constant(x))
    return [y.numpy(), *(value.numpy() for value in found)]


@pytest.mark.parametrize("shape", SHAPES)
def test_training_step_is_that_of_keras(shape):
    ours, theirs = pair(shape)
    x = maps_like(shape)
    for a, b in zip(step(ours, x), step(theirs, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
def test_without_gamma_or_beta(options):
    ours, theirs = pair(SHAPES[0], **options)
    x = maps_like(SHAPES[0])
    for a, b in zip(step(ours, x), step(theirs, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_sides_may_be_unknown():
    ours, theirs = pair((None,) * 4 + (10,))
    x = maps_like((2, 3, 5, 3, 10))
    unknown = [tf.TensorSpec((None, None, None, None, 10))]
    for a, b in zip(
        step(ours, x, unknown), step(theirs, x, unknown), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_gradient_by_finite_differences():
    layer, _ = pair((2, 2, 2, 2, 3))
    x = maps_like((2, 2, 2, 2, 3))
    gradient = step(layer, x)[1]
    weights = np.random.default_rng(9).normal(size=x.shape).astype("float32")
    rng = np.random.default_rng(1)
    for _ in range(5):
        direction = rng.normal(size=x.shape).astype("float32")
        losses = [
            float(
                np.sum(
                    np.float64(layer(x + h * direction, training=True))
                    * weights
                )
            )
            for h in (1e-2, -1e-2)
        ]
        slope = (losses[0] - losses[1]) / 2e-2
        assert slope == pytest.approx(
            float(np.sum(gradient * direction)), rel=2e-2, abs=2e-2
        )


def test_inference_is_that_of_keras():
    ours, theirs = pair(SHAPES[0])
    x = maps_like(SHAPES[0])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(theirs(x))
    )


def test_frozen_layer_uses_its_moving_statistics():
    ours, theirs = pair(SHAPES[0])
    ours.trainable = theirs.trainable = False
    x = maps_like(SHAPES[0])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(ours(x, training=True)),
        ops.convert_to_numpy(theirs(x, training=True)),
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_has_float32_statistics(policy):
    ours, theirs = pair(SHAPES[0], dtype=policy)
    x = maps_like(SHAPES[0])
    for layer in (ours, theirs):
        y = layer(x, training=True)
        assert keras.backend.standardize_dtype(y.dtype) == policy[6:]
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_map_without_variance_stays_finite():
    ours, _ = pair((2, 4, 4, 4, 2))
    for values in step(ours, np.full((2, 4, 4, 4, 2), 7.0, "float32")):
        assert np.isfinite(values).all()


def test_step_repeats_bit_for_bit():
    ours, _ = pair((None, 16, 16, 16, 10))
    x = maps_like((4, 16, 16, 16, 10))
    first = step(ours, x)
    for _ in range(3):
        for a, b in zip(step(ours, x), first, strict=True):
            np.testing.assert_array_equal(a, b)


def test_renorm_is_left_to_keras():
    if "renorm" not in keras.layers.BatchNormalization().get_config():
        pytest.skip("this Keras has no renorm")
    layers = pair(SHAPES[0], renorm=True)
    for layer in layers:
        layer(maps_like(SHAPES[0]), training=True)
    for a, b in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_axis_and_mask_are_left_to_keras():
    x = maps_like((2, 5, 4))
    for options, mask in (({"axis": 1}, None), ({}, np.ones((2, 5), bool))):
        results = []
        for layer in (BatchNormalization, keras.layers.BatchNormalization):
            layer = layer(**options)
            results.append(layer(x, training=True, mask=mask))
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, results))


def test_layer_survives_saving(tmp_path):
    x = keras.Input((4, 4, 4, 3))
    model = keras.Model(x, BatchNormalization(momentum=0.8, name="bn")(x))
    model.save(tmp_path / "model.keras")
    layer = keras.saving.load_model(tmp_path / "model.keras").get_layer("bn")
    assert type(layer) is BatchNormalization
    assert layer.momentum == 0.8


def test_gradient_of_less_known_shape():
    # As a loss may give it: without any static side.
    layer, reference = pair(SHAPES[0])
    x = maps_like(SHAPES[0])
    results = []
    for tested in (layer, reference):

        @tf.function
        def gradient(x, weights, tested=tested):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tested(x, training=True)
                loss = tf.reduce_sum(tf.reshape(y, tf.shape(weights)) * weights)
            return tape.gradient(loss, x)

        flat = np.random.default_rng(2).normal(size=x.size).astype("float32")
        signature = tf.TensorSpec([None] * 4 + [10])
        concrete = gradient.get_concrete_function(
            signature, tf.TensorSpec([None])
        )
        results.append(concrete(tf.constant(x), tf.constant(flat)).numpy())
    np.testing.assert_allclose(*results, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gradient_is_near_that_of_keras(policy):
    x = maps_like(SHAPES[0])
    half = tf.cast(x, policy[6:])
    found = []
    for layer in pair(SHAPES[0], dtype=policy):
        with tf.GradientTape() as tape:
            tape.watch(half)
            y = tf.cast(layer(half, training=True), tf.float32)
            weights = np.random.default_rng(9).normal(size=x.shape)
            loss = tf.reduce_sum(y * tf.cast(weights, tf.float32))
        found.append(tf.cast(tape.gradient(loss, half), tf.float32).numpy())
    scale = np.abs(found[1]).max()
    np.testing.assert_allclose(*found, atol=0.02 * scale)
    assert scale > 0


def test_saved_model_forgets_that_it_was_synchronized():
    model = keras.Sequential([keras.Input((4, 3)), BatchNormalization()])
    synchronize(model)
    assert model.layers[0].get_config()["synchronized"] is False
