"""Averages of the weights, for all that happens between epochs."""

from itertools import pairwise

import keras
import numpy as np
import pytest

from keras_isample.callbacks import AveragedWeights
from keras_isample.training.optimizers import make_optimizer

STEPS, MOMENTUM = 4, 0.75


class Seen(keras.callbacks.Callback):
    """The weights after each step and each epoch, and what own weights are."""

    def __init__(self, average=None):
        super().__init__()
        self.average = average
        self.steps, self.epochs, self.own = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(weights_of(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(weights_of(self.model))
        if self.average is not None:
            with self.average.own_weights():
                self.own.append(weights_of(self.model))
            np.testing.assert_array_equal(
                weights_of(self.model), self.epochs[-1]
            )


def weights_of(model):
    return np.concatenate([np.ravel(x) for x in model.get_weights()])


def compiled(name="adam", momentum=MOMENTUM):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(make_optimizer(name, 0.1, 0.01, momentum), loss="mse")
    return model


def trained(model, *callbacks, epochs=3):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(STEPS * 2, 3)).astype("float32")
    targets = rng.normal(size=(STEPS * 2, 2)).astype("float32")
    model.fit(
        inputs,
        targets,
        batch_size=2,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model


def averages_of(steps):
    found = [steps[0]]
    for weights in steps[1:]:
        found.append(MOMENTUM * found[-1] + (1 - MOMENTUM) * weights)
    return found


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_between_epochs_the_model_has_the_averages(name):
    average = AveragedWeights()
    seen = Seen(average)
    model = trained(compiled(name), average, seen)
    expected = averages_of(seen.steps)[STEPS - 1 :: STEPS]
    np.testing.assert_allclose(seen.epochs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(weights_of(model), seen.epochs[-1])


def test_training_goes_on_from_the_weights_themselves():
    average = AveragedWeights()
    seen, without = Seen(average), Seen()
    trained(compiled(), average, seen)
    trained(compiled(momentum=0.0), without)
    np.testing.assert_array_equal(seen.steps, without.steps)
    np.testing.assert_array_equal(seen.own, without.epochs)
    assert np.abs(np.subtract(seen.own, seen.epochs)).max() > 0.01


def test_restored_model_has_the_averages_until_it_goes_on():
    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.weights = weights_of(self.model)

    average, start = AveragedWeights(), Start()
    whole, first, last = Seen(average), Seen(average), Seen()
    trained(compiled(), average, whole, epochs=3)
    model = trained(compiled(), average, first, epochs=2)
    own = np.split(first.own[-1], [6])
    model.set_weights([own[0].reshape(3, 2), own[1]])
    trained(model, AveragedWeights(), start, last, epochs=1)
    np.testing.assert_array_equal(start.weights, whole.epochs[1])
    np.testing.assert_array_equal(last.steps, whole.steps[2 * STEPS :])
    np.testing.assert_array_equal(last.epochs[-1], whole.epochs[2])


def test_another_model_is_not_given_what_one_had():
    average = AveragedWeights()
    trained(compiled(), average)
    model = compiled()
    model.set_weights([weights + 1 for weights in model.get_weights()])
    seen, alone = Seen(), Seen()
    trained(model, average, seen, epochs=1)
    model = compiled()
    model.set_weights([weights + 1 for weights in model.get_weights()])
    trained(model, alone, epochs=1)
    np.testing.assert_array_equal(seen.steps, alone.steps)


def half_precision(scale):
    """A model whose first steps overflow, as its gradients are scaled."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled()
    finally:
        keras.config.set_dtype_policy(before)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.dynamic_scale.assign(scale)
    return model


def test_half_precision_averages_the_steps_that_were_taken():
    model = half_precision(2.0**18)
    start = weights_of(model)
    seen = Seen(AveragedWeights())
    trained(model, seen.average, seen)
    before = [start, *seen.steps]
    taken = [
        number
        for number, (one, other) in enumerate(pairwise(before))
        if np.any(one != other)
    ]
    assert 0 < taken[0] < STEPS
    averages = averages_of([seen.steps[number] for number in taken])
    for epoch, weights in enumerate(seen.epochs):
        steps = np.searchsorted(taken, (epoch + 1) * STEPS)
        expected = averages[steps - 1]
        np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-3)


def test_without_a_step_the_model_keeps_its_weights():
    model = half_precision(2.0**40)
    start = weights_of(model)
    seen = Seen(AveragedWeights())
    trained(model, seen.average, seen, epochs=2)
    np.testing.assert_array_equal(seen.steps[-1], start)
    np.testing.assert_array_equal(seen.epochs, [start, start])
    np.testing.assert_array_equal(weights_of(model), start)


def test_model_can_be_used_between_epochs_and_afterwards():
    class Predicting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found = self.model.predict_on_batch(np.eye(3, dtype="float32"))
            kernel, bias = self.model.get_weights()
            np.testing.assert_allclose(found, kernel + bias, rtol=1e-5)
            self.model.evaluate(np.eye(3), np.zeros((3, 2)), verbose=0)

    model = trained(compiled(), AveragedWeights(), Predicting())
    model.evaluate(np.eye(3), np.zeros((3, 2)), verbose=0)
    trained(model, AveragedWeights(), Predicting())


def test_optimizer_without_averages_is_refused():
    with pytest.raises(ValueError, match="use_ema"):
        trained(compiled(momentum=0.0), AveragedWeights())


def test_own_weights_are_the_model_s_before_an_epoch_has_ended():
    average = AveragedWeights()
    average.set_model(compiled())
    before = weights_of(average.model)
    with average.own_weights():
        np.testing.assert_array_equal(weights_of(average.model), before)
