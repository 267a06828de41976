"""Validations when their cost has been saved up."""

import time

import keras

from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.order import note_turn
from keras_isample.callbacks.validation_plan import ESTIMATE


class PlannedValidation(keras.callbacks.Callback):
    """Validates whole scans, or estimates Dice, as a plan allows.

    To be used in place of its `VolumeDice`. Whole scans add to an epoch's logs
    what `VolumeDice` does; an estimate adds `val_dice_estimated`,
    `val_dice_estimated_<name>` and `seconds_validation`.

    Args:
        plan: The `ValidationPlan`.
        validation: The `VolumeDice`, whose `every` is not looked at.
        estimate: The `DiceEstimate` of its cases, if the plan has estimates.
    """

    stage = Stage.VALIDATION

    def __init__(self, plan, validation, estimate=None):
        super().__init__()
        self.plan = plan
        self.validation = validation
        self.estimate = estimate

    def set_model(self, model):
        super().set_model(model)
        self.validation.set_model(model)

    def on_epoch_end(self, epoch, logs=None):
        if logs is None or not self.plan.is_due(epoch + 1):
            return
        note_turn(self)
        if self.estimate is None:
            self.validation.validate(logs)
            return
        started = time.monotonic()
        phase = self.validation.reporter.phase(
            "estimating Dice", item="case", part="blocks"
        )
        with phase:
            table = self.estimate.measure(self.model, phase)
        self.validation.add_means(logs, ESTIMATE, table)
        logs["seconds_validation"] = time.monotonic() - started
