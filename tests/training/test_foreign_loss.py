"""Runs with losses from elsewhere."""

import keras
import numpy as np
import pytest

from keras_isample import load_model
from keras_isample.losses import AdaptedLoss
from keras_isample.registries import LOSSES
from keras_isample.registries import register_loss
from keras_isample.training.run import fit


@keras.saving.register_keras_serializable(package="elsewhere")
class SquaredError(keras.losses.Loss):
    """Somebody's own."""

    def call(self, y_true, y_pred):
        return keras.ops.sum(keras.ops.square(y_true - y_pred), axis=-1)


@pytest.fixture(autouse=True)
def registered():
    register_loss("keras-focal", keras.losses.CategoricalFocalCrossentropy)
    register_loss("squared", SquaredError)
    yield
    for name in ("keras-focal", "squared"):
        LOSSES.remove(name)


def test_run_is_trained_resumed_and_loaded(
    ball_config, tmp_path, assert_same_end
):
    whole = fit(ball_config(loss="keras-focal", epochs=2), tmp_path / "whole")
    assert np.isfinite([row["loss"] for row in whole.rows]).all()
    parts = tmp_path / "parts"
    fit(ball_config(loss="keras-focal", epochs=1), parts)
    fit(ball_config(loss="keras-focal", epochs=2), parts, resume=True)
    assert_same_end(parts, whole.path)
    loss = load_model(whole.path).loss
    assert isinstance(loss, AdaptedLoss)
    assert isinstance(loss.loss, keras.losses.CategoricalFocalCrossentropy)


def test_schedule_ends_in_it(ball_config, tmp_path):
    config = ball_config(loss_schedule="ce:0, squared:1", epochs=2)
    first, last = fit(config, tmp_path / "run").rows
    assert np.isfinite(first["loss"])
    # The most that two probabilities can be wrong by.
    assert 0 < last["loss"] <= 2
