"""Validations that are saved up for."""

import numpy as np
import pytest

from keras_isample.callbacks.planned_validation import PlannedValidation
from keras_isample.callbacks.validation_plan import ValidationPlan


class Scans:
    """A `VolumeDice` of one class."""

    cases = ["one"]

    def set_model(self, model):
        self.model = model

    def validate(self, logs):
        logs["val_dice"] = 0.75

    def add_means(self, logs, name, table):
        logs[name] = float(np.mean(table))


class Estimate:
    def measure(self, model):
        self.model = model
        return np.array([[0.5]])


def run(plan, epochs, *, first=0, done=0):
    """The logs of the epochs from `first` on."""
    estimate = Estimate() if plan.is_estimated else None
    callback = PlannedValidation(plan, Scans(), estimate, done=done)
    callback.set_params({"epochs": epochs})
    callback.set_model("model")
    found = []
    for epoch in range(first, epochs):
        found.append({})
        callback.on_epoch_end(epoch, found[-1])
    return found


SAVED = ValidationPlan(None, 10, saved=4)
ESTIMATED = ValidationPlan(None, 10, 5, 2, 3, 32)


def test_whole_scans_are_validated_when_saved_up():
    logs = run(SAVED, 6)
    assert [log.get("val_dice") for log in logs] == [
        None,
        None,
        0.75,
        None,
        0.75,
        None,
    ]


def test_estimates_have_a_column_of_their_own():
    logs = run(ESTIMATED, 6)
    assert [e for e, log in enumerate(logs, 1) if log] == [3, 5]
    assert logs[2]["val_dice_estimated"] == 0.5
    assert logs[2]["seconds_validation"] >= 0
    assert not any("val_dice" in log for log in logs)


@pytest.mark.parametrize("plan", [SAVED, ESTIMATED])
@pytest.mark.parametrize("stop", range(1, 8))
def test_a_run_that_goes_on_validates_the_same_epochs(plan, stop):
    whole = run(plan, 8)
    done = sum(plan.column in log for log in whole[:stop])
    rest = run(plan, 8, first=stop, done=done)
    names = [plan.column in log for log in whole]
    assert [plan.column in log for log in rest] == names[stop:]


def test_without_cases_nothing_is_validated():
    callback = PlannedValidation(SAVED, Scans())
    callback.validation.cases = []
    callback.set_params({"epochs": 1})
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs == {}
