"""The optimizers of a run."""

import keras
import numpy as np
import pytest

from keras_isample.training.optimizers import decays_in_loss
from keras_isample.training.optimizers import make_optimizer
from keras_isample.training.optimizers import sgd


def test_sgd_is_that_of_the_papers():
    optimizer = sgd(0.05)
    assert optimizer.momentum == 0.8
    assert optimizer.nesterov
    assert float(optimizer.learning_rate) == pytest.approx(0.05)
    assert optimizer.clipnorm is None


def test_only_adamw_decays_outside_of_the_loss():
    kinds = ("sgd", "adam", "adamw")
    assert [decays_in_loss(name) for name in kinds] == [True, True, False]
    assert make_optimizer("adam", 0.1, 0.5).weight_decay is None


def test_adamw_shrinks_kernels_but_not_biases():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    layer.bias.assign([1.0, 1.0])
    before = keras.ops.convert_to_numpy(layer.kernel)
    optimizer = make_optimizer("adamw", 0.1, 0.5)
    optimizer.build(layer.trainable_variables)
    zero = [keras.ops.zeros(v.shape) for v in layer.trainable_variables]
    optimizer.apply(zero, layer.trainable_variables)
    # rate * decay = 0.05 of every kernel weight goes.
    np.testing.assert_allclose(layer.kernel, 0.95 * before, rtol=1e-5)
    np.testing.assert_allclose(layer.bias, [1.0, 1.0])


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="sgd"):
        make_optimizer("lion", 0.1, 0.1)
