"""Gradients on whatever backend Keras runs, and random batches."""

import keras
import numpy as np
import pytest


@pytest.fixture(scope="session")
def gradient():
    """Function: gradient of a scalar function of one array."""

    def gradient(function, x, dtype="float32"):
        x = keras.ops.convert_to_tensor(np.asarray(x, "float32"))
        x = keras.ops.cast(x, dtype)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(x)
                value = function(x)
            slope = tape.gradient(value, x)
        elif keras.backend.backend() == "jax":
            import jax

            slope = jax.grad(function)(x)
        else:
            x = x.detach().clone().requires_grad_(True)
            function(x).backward()
            slope = x.grad
        slope = keras.ops.convert_to_numpy(keras.ops.cast(slope, "float32"))
        return np.asarray(slope)

    return gradient


@pytest.fixture(scope="session")
def random_batch():
    """Function: labels, logits and probabilities of random voxels."""

    def make(shape, classes=4, seed=0):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, shape).astype("int32")
        logits = 2 * rng.normal(size=(*shape, classes)).astype("float32")
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return labels, logits, p / p.sum(axis=-1, keepdims=True)

    return make
