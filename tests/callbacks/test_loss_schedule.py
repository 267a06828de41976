"""The loss switches while a model is trained; TensorFlow, JAX or torch."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_isample.callbacks import LossSchedule
from keras_isample.losses import CrossEntropy
from keras_isample.losses import Dice
from keras_isample.losses import ScheduledLoss
from keras_isample.metrics import MeanLoss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3, 5, 2)).astype("float32")
Y = RNG.integers(0, 3, (4, 3, 5))


def schedule(**options):
    return ScheduledLoss([CrossEntropy(), Dice()], [0, 2], **options)


def compiled(loss, *metrics, rate=0.0, **options):
    """A model of one layer; with a rate of 0 its losses stay as they are."""
    keras.utils.set_random_seed(0)
    x = keras.Input((3, 5, 2))
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax")(x))
    optimizer = keras.optimizers.SGD(rate)
    model.compile(optimizer, loss, metrics=list(metrics), **options)
    return model


def fit(model, epochs, *callbacks, **options):
    return model.fit(
        X,
        Y,
        epochs=epochs,
        batch_size=2,
        verbose=0,
        callbacks=callbacks,
        **options,
    ).history


def values(model):
    """Cross-entropy and Dice of the model."""
    p = model.predict(X, verbose=0)
    return float(CrossEntropy()(Y, p)), float(Dice()(Y, p))


def test_loss_switches_in_training_and_validation():
    model = compiled(schedule())
    ce, dice = values(model)
    logs = fit(model, 4, LossSchedule(), validation_data=(X, Y))
    expected = pytest.approx([ce, ce, dice, dice], rel=1e-5)
    assert abs(ce - dice) > 0.1
    assert logs["loss"] == expected
    assert logs["val_loss"] == expected


def test_linear_transition_changes_every_epoch():
    model = compiled(schedule(transition="linear"))
    ce, dice = values(model)
    logs = fit(model, 4, LossSchedule(), validation_data=(X, Y))
    expected = pytest.approx([ce, (ce + dice) / 2, dice, dice], rel=1e-5)
    assert logs["loss"] == expected
    assert logs["val_loss"] == expected


def test_gradient_is_that_of_the_loss_in_force():
    model, alone = compiled(schedule(), rate=0.1), compiled(Dice(), rate=0.1)
    fit(model, 3, LossSchedule(), initial_epoch=2, shuffle=False)
    fit(alone, 1, shuffle=False)
    for one, two in zip(model.get_weights(), alone.get_weights(), strict=True):
        assert one == pytest.approx(two, abs=1e-6)


def test_resumed_run_has_the_weights_of_its_epochs():
    whole = compiled(schedule(transition="linear"), rate=0.1)
    fit(whole, 4, LossSchedule(), shuffle=False)
    parts = compiled(schedule(transition="linear"), rate=0.1)
    fit(parts, 2, LossSchedule(), shuffle=False)
    weights = parts.get_weights()
    resumed = compiled(schedule(transition="linear"), rate=0.1)
    resumed.set_weights(weights)
    fit(resumed, 4, LossSchedule(), initial_epoch=2, shuffle=False)
    for one, two in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        assert one == pytest.approx(two, abs=1e-6)


def test_second_training_starts_anew():
    model = compiled(schedule())
    ce, dice = values(model)
    fit(model, 3, LossSchedule())
    assert fit(model, 1, LossSchedule())["loss"] == pytest.approx([ce])


def test_evaluate_has_the_last_weights():
    model = compiled(schedule())
    _, dice = values(model)
    fit(model, 3, LossSchedule())
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(dice)


def test_metric_with_the_loss_follows():
    loss = schedule()
    model = compiled(loss, MeanLoss(loss))
    ce, dice = values(model)
    logs = fit(model, 3, LossSchedule())
    assert logs["data_loss"] == pytest.approx([ce, ce, dice], rel=1e-5)


def test_loaded_model_trains_on_by_its_schedule(tmp_path):
    loss = schedule()
    model = compiled(loss, MeanLoss(loss))
    ce, dice = values(model)
    fit(model, 3, LossSchedule())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, ScheduledLoss)
    logs = fit(again, 4, LossSchedule(), initial_epoch=2)
    assert logs["loss"] == pytest.approx([dice, dice], rel=1e-5)
    # The metric has read back a loss of its own.
    assert logs["data_loss"] == pytest.approx([dice, dice], rel=1e-5)
    again = keras.models.load_model(tmp_path / "model.keras")
    assert fit(again, 1)["loss"] == pytest.approx([ce], rel=1e-5)


def test_given_loss_is_set():
    loss = schedule()
    model = compiled(CrossEntropy())
    fit(model, 3, LossSchedule(loss))
    weights = keras.ops.convert_to_numpy(loss.weights)
    assert weights.tolist() == [0, 1]


def test_eager_training_follows():
    model = compiled(schedule(), run_eagerly=True)
    ce, dice = values(model)
    logs = fit(model, 3, LossSchedule())
    assert logs["loss"] == pytest.approx([ce, ce, dice], rel=1e-5)


def test_model_without_schedule_is_refused():
    with pytest.raises(ValueError, match="no ScheduledLoss"):
        fit(compiled(CrossEntropy()), 1, LossSchedule())
    with pytest.raises(ValueError, match="`loss`"):
        LossSchedule(CrossEntropy())


# Devices are made when TensorFlow starts: a process of its own.
TWO_DEVICES = """
import numpy as np
import tensorflow as tf
import keras
from keras_isample.callbacks import LossSchedule
from keras_isample.losses import CrossEntropy, Dice, ScheduledLoss
from keras_isample.metrics import MeanLoss
from keras_isample.training.devices import shared_among

strategy = shared_among(("cpu:0", "cpu:1"), 4)
rng = np.random.default_rng(0)
x = rng.normal(size=(8, 3, 5, 2)).astype("float32")
y = rng.integers(0, 3, (8, 3, 5))
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)

def schedule():
    return ScheduledLoss(
        [CrossEntropy(), Dice()], [0, 2], transition="linear"
    )

def compiled(loss):
    inputs = keras.Input((3, 5, 2))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[MeanLoss(loss)])
    return model

outside = schedule()
for inside in (True, False):
    with strategy.scope():
        model = compiled(schedule() if inside else outside)
    logs = model.fit(
        data, epochs=4, verbose=0, callbacks=[LossSchedule()],
        validation_data=data,
    ).history
    p = model.predict(x, verbose=0)
    ce, dice = float(CrossEntropy()(y, p)), float(Dice()(y, p))
    expected = [ce, (ce + dice) / 2, dice, dice]
    for name in ("loss", "val_loss", "data_loss"):
        np.testing.assert_allclose(logs[name], expected, rtol=1e-4)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="of TensorFlow"
)
def test_loss_switches_on_two_devices():
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
