"""Validations that are saved up for."""

import numpy as np

from keras_isample.callbacks.planned_validation import PlannedValidation
from keras_isample.callbacks.validation_plan import ValidationPlan
from keras_isample.progress import SILENT


class Scans:
    """A `VolumeDice` of one class."""

    cases = ["one"]
    reporter = SILENT

    def set_model(self, model):
        self.model = model

    def validate(self, logs):
        logs["val_dice"] = 0.75

    def add_means(self, logs, name, table):
        logs[name] = float(np.mean(table))


class Estimate:
    def measure(self, model, phase):
        self.model = model
        return np.array([[0.5]])


def run(plan, epochs):
    """The logs of each epoch."""
    estimate = Estimate() if plan.is_estimated else None
    callback = PlannedValidation(plan, Scans(), estimate)
    callback.set_model("model")
    assert callback.validation.model == "model"
    found = []
    for epoch in range(epochs):
        found.append({})
        callback.on_epoch_end(epoch, found[-1])
    return found


SAVED = ValidationPlan(None, 10, times=2, epochs=5)
ESTIMATED = ValidationPlan(None, 10, 5, 2, 5, 3, 32)


def test_whole_scans_are_validated_when_saved_up():
    scores = [log.get("val_dice") for log in run(SAVED, 6)]
    assert scores == [None, None, 0.75, None, 0.75, None]


def test_estimates_have_a_name_of_their_own():
    logs = run(ESTIMATED, 6)
    assert [e for e, log in enumerate(logs, 1) if log] == [3, 5]
    assert logs[2]["val_dice_estimated"] == 0.5
    assert logs[2]["seconds_validation"] >= 0
    assert not any("val_dice" in log for log in logs)
