"""Forks give every reader the same and add up the gradients."""

import keras
import numpy as np
import tensorflow as tf

from keras_isample.models.fork import Fork
from keras_isample.models.fork import fork


def test_outputs_are_the_input():
    x = np.arange(6.0).reshape(2, 3).astype("float32")
    outputs = Fork(3)(x)
    assert len(outputs) == 3
    assert all(np.array_equal(output, x) for output in outputs)


def test_gradients_are_added():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        a, b, c = Fork(3)(x)
        total = tf.reduce_sum(a + 10 * b * b + 100 * c)
    assert tape.gradient(total, x).numpy().tolist() == [121, 141]


def test_two_readers_need_none():
    x = keras.Input((2,))
    assert all(y is x for y in fork(x, 2, "fork"))
    assert len({id(y) for y in fork(x, 3, "fork")}) == 3
