"""Graphs of trainings do not stay in the process."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_isample.models.normalization import BatchNormalization
from keras_isample.training import traced_gradients
from keras_isample.training.traced_gradients import forgotten_afterwards

tf = pytest.importorskip("tensorflow")


def traced():
    """A weak reference to the graph of a training step."""
    image = keras.Input((4, 4, 4, 2))
    x = keras.layers.Conv3D(3, 1)(BatchNormalization()(image))
    model = keras.Model(image, x)
    graphs = []

    @tf.function(autograph=False)
    def step(batch):
        graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(batch, training=True))
        return tape.gradient(loss, model.trainable_variables)

    step(np.zeros((2, 4, 4, 4, 2), np.float32))
    return graphs[0]


def test_a_graph_is_freed():
    with forgotten_afterwards():
        graph = traced()
    gc.collect()
    assert graph() is None


def test_gradients_from_before_stay():
    registered = traced_gradients._registered()
    registered["CustomGradient-of-a-test"] = None
    try:
        with forgotten_afterwards():
            traced()
            assert len(registered) > 1
        assert "CustomGradient-of-a-test" in registered
    finally:
        del registered["CustomGradient-of-a-test"]


def test_a_step_runs_on_after_its_gradients_are_forgotten():
    model = keras.Sequential([keras.Input((4, 3)), BatchNormalization()])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    with forgotten_afterwards():
        model.fit(x, x + 1, epochs=1, batch_size=3, verbose=0)
    before = [np.array(w) for w in model.get_weights()]
    model.fit(x, x + 1, epochs=1, batch_size=3, verbose=0)
    after = model.get_weights()
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))
