"""Trainings that left the finite numbers."""

import math

import keras
import pytest

from keras_isample.callbacks import Diverged
from keras_isample.callbacks import DivergenceCheck


@pytest.fixture
def check():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    callback = DivergenceCheck()
    callback.set_model(model)
    return callback


def test_finite_training_goes_on(check):
    check.on_epoch_end(0, {"loss": 1e30})


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_loss_that_is_no_number_ends_it(check, loss):
    with pytest.raises(Diverged, match="epoch 3") as error:
        check.on_epoch_end(2, {"loss": loss})
    assert error.value.epoch == 3


def test_weights_that_are_no_numbers_end_it(check):
    check.model.layers[0].bias.assign([math.nan])
    with pytest.raises(Diverged, match="weights"):
        check.on_epoch_end(0, {"loss": 0.5})


def test_run_that_diverges_is_one_error(tmp_path, ball_config):
    from keras_isample.errors import InputError
    from keras_isample.training import fit

    config = ball_config(learning_rate=1e30, warmup_epochs=0)
    with pytest.raises(InputError, match="smaller `learning_rate`"):
        fit(config, tmp_path / "run")
