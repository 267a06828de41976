"""Callbacks act in the right order, or it is noticed."""

import keras
import numpy as np
import pytest

from keras_isample.callbacks import AveragedWeights
from keras_isample.callbacks import DivergenceCheck
from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks import LossSchedule
from keras_isample.callbacks import NormalizationUpdate
from keras_isample.callbacks import Stage
from keras_isample.callbacks import VolumeDice
from keras_isample.callbacks import ordered
from keras_isample.callbacks.order import begin_epoch
from keras_isample.callbacks.order import note_turn


def of_stage(stage, name="Callback"):
    """A callback that only says its turn."""

    def on_epoch_begin(self, epoch, logs=None):
        if self.stage == Stage.STATISTICS:
            begin_epoch(self)

    def on_epoch_end(self, epoch, logs=None):
        note_turn(self)

    methods = {
        "stage": stage,
        "on_epoch_begin": on_epoch_begin,
        "on_epoch_end": on_epoch_end,
    }
    return type(name, (keras.callbacks.Callback,), methods)()


def fit(callbacks, epochs=2):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    x = np.zeros((2, 1))
    model.fit(x, x, epochs=epochs, verbose=0, callbacks=callbacks)


def said(caplog):
    """What was said about the order; TensorFlow writes of other things."""
    name = "keras_isample.callbacks.order"
    return [record for record in caplog.records if record.name == name]


def test_stages_are_in_the_order_in_which_they_must_act():
    classes = (
        AveragedWeights,
        NormalizationUpdate,
        DivergenceCheck,
        LossSchedule,
        ErrorMapUpdate,
        VolumeDice,
    )
    stages = [c.stage for c in classes]
    assert stages == sorted(stages)
    assert VolumeDice.stage < Stage.OTHERS < Stage.REPORTS < Stage.STATE


def test_callbacks_are_put_in_order():
    maps, dice = of_stage(Stage.ERROR_MAPS), of_stage(Stage.VALIDATION)
    statistics = of_stage(Stage.STATISTICS)
    stopping = keras.callbacks.EarlyStopping()
    result = ordered(stopping, [dice, None, maps], statistics)
    assert result == [statistics, maps, dice, stopping]


def test_equal_stages_keep_their_order():
    first, second = keras.callbacks.History(), keras.callbacks.CSVLogger("x")
    assert ordered(second, first) == [second, first]


def test_others_are_refused():
    with pytest.raises(ValueError, match="must be Keras callbacks"):
        ordered(VolumeDice)


def test_a_wrong_order_is_warned_about_once(caplog):
    maps = of_stage(Stage.ERROR_MAPS, "Maps")
    statistics = of_stage(Stage.STATISTICS, "Statistics")
    fit([maps, statistics])
    (record,) = said(caplog)
    assert "Statistics acted after Maps" in record.message
    assert "callbacks.ordered" in record.message


def test_the_right_order_is_not(caplog):
    fit(ordered(of_stage(Stage.VALIDATION), of_stage(Stage.STATISTICS)))
    assert not said(caplog)


def test_averages_of_keras_come_first():
    swap = keras.callbacks.SwapEMAWeights()
    assert ordered(VolumeDice.__new__(VolumeDice), swap)[0] is swap
