"""The optimizers of a run."""

import keras
import numpy as np
import pytest

from keras_isample.training.optimizers import SGD
from keras_isample.training.optimizers import Adam
from keras_isample.training.optimizers import AdamW
from keras_isample.training.optimizers import l2_factor
from keras_isample.training.optimizers import make_optimizer
from keras_isample.training.optimizers import sgd


def test_sgd_is_that_of_the_papers():
    optimizer = sgd(0.05)
    assert optimizer.momentum == 0.8
    assert optimizer.nesterov
    assert float(optimizer.learning_rate) == pytest.approx(0.05)
    assert optimizer.clipnorm is None


def test_adam_adds_the_decay_times_the_kernel_to_the_gradient():
    kernel = keras.Variable([3.0])
    penalty = keras.regularizers.L2(l2_factor("adam", 0.1))
    # The derivative of f w**2 is 2 f w.
    assert float(penalty(kernel)) * 2 / 3 == pytest.approx(0.1 * 3.0)
    assert make_optimizer("adam", 0.1, 0.5).weight_decay is None


def test_l2_of_sgd_is_that_of_keras_and_adamw_has_none():
    assert l2_factor("sgd", 0.1) == 0.1
    assert l2_factor("adamw", 0.1) == 0


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


def _train(optimizer, gradients, rates, *, rescale=False):
    """Weights after some steps; Keras' velocity rescaled if asked for."""
    variable = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer.build([variable])
    found, before = [], None
    for gradient, rate in zip(gradients, rates, strict=True):
        if rescale and before:
            velocity = optimizer.momentums[0]
            velocity.assign(velocity * (rate / before))
        optimizer.learning_rate = before = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        found.append(np.array(keras.ops.convert_to_numpy(variable.value)))
    return np.array(found)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_keras_with_its_velocity_rescaled(nesterov):
    options = {"momentum": 0.8, "nesterov": nesterov}
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 2)).astype("float32")
    rates = [0.01, 0.02, 0.1, 0.1, 0.05, 0.005]
    ours = _train(SGD(0.1, **options), gradients, rates)
    plain = keras.optimizers.SGD
    rescaled = _train(plain(0.1, **options), gradients, rates, rescale=True)
    assert ours == pytest.approx(rescaled, rel=1e-5)
    unscaled = _train(plain(0.1, **options), gradients, rates)
    assert np.abs(ours - unscaled).max() > 0.01


def test_at_a_constant_rate_nothing_differs_from_keras():
    gradients = np.ones((5, 2), "float32")
    ours = _train(sgd(0.1), gradients, [0.1] * 5)
    keras_own = keras.optimizers.SGD(0.1, momentum=0.8, nesterov=True)
    theirs = _train(keras_own, gradients, [0.1] * 5)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_optimizer_is_saved_by_name():
    config = keras.optimizers.serialize(sgd(0.3))
    assert isinstance(keras.optimizers.deserialize(config), SGD)


def _pairs(name, **options):
    """Ours and Keras' optimizer of the same settings."""
    ours = {"adam": Adam, "adamw": AdamW, "sgd": SGD}[name]
    theirs = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
    }[name]
    return [kind(0.03, **options) for kind in (ours, theirs)]


def _steps(optimizer, number=7):
    """Variables and averages after some steps from the same start."""
    rng = np.random.default_rng(3)
    start = [rng.normal(size=shape) for shape in ((3, 4), (5,), (1,))]
    names = ("kernel", "bias", "gamma")
    variables = [
        keras.Variable(value.astype("float32"), name=name)
        for value, name in zip(start, names, strict=True)
    ]
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
    optimizer.build(variables)
    for _ in range(number):
        gradients = [
            keras.ops.convert_to_tensor(rng.normal(size=v.shape), "float32")
            for v in variables
        ]
        optimizer.apply(gradients, variables)
    kept = [*variables, *optimizer.variables[2:]]
    return [keras.ops.convert_to_numpy(v) for v in kept]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam", {}),
        ("adam", {"use_ema": True, "ema_momentum": 0.6}),
        ("adamw", {"weight_decay": 0.2}),
        ("adamw", {"weight_decay": 0.2, "use_ema": True, "ema_momentum": 0.6}),
        ("sgd", {}),
        ("sgd", {"momentum": 0.8, "weight_decay": 0.1}),
        ("adam", {"clipnorm": 0.5}),
    ],
)
def test_steps_are_those_of_keras(name, options):
    ours, theirs = map(_steps, _pairs(name, **options))
    if options.get("momentum"):
        # The velocity of Keras has the rate in it.
        ours[-3:] = [-0.03 * velocity for velocity in ours[-3:]]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-7)


def test_a_variable_without_gradient_stays():
    optimizer = make_optimizer("adam", 0.1, 0.0)
    first, second = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    optimizer.build([first, second])
    optimizer.apply([keras.ops.ones(2), None], [first, second])
    assert float(second.value[0]) == 3.0
    assert float(first.value[0]) < 1.0


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_is_saved_by_name(name):
    optimizer = make_optimizer(name, 0.1, 0.2)
    config = keras.optimizers.serialize(optimizer)
    assert type(keras.optimizers.deserialize(config)) is type(optimizer)
