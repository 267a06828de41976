"""Stops a training that has diverged."""

import math

import keras

from keras_isample.callbacks.order import Stage


class Diverged(ArithmeticError):
    """Training left the finite numbers.

    Attributes:
        epoch: Number of the epoch, counted from 1.
    """

    def __init__(self, epoch, reason):
        super().__init__(f"{reason} in epoch {epoch}")
        self.epoch = epoch


class DivergenceCheck(keras.callbacks.Callback):
    """Raises `Diverged` after an epoch that left the finite numbers.

    `ordered` puts it after `NormalizationUpdate`, whose statistics are weights
    as well, and before error maps and the state to resume from are made.
    """

    stage = Stage.CHECKS

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise Diverged(epoch + 1, "the loss became NaN or infinite")
        for weight in self.model.weights:
            if not keras.ops.all(keras.ops.isfinite(weight)):
                raise Diverged(epoch + 1, "weights became NaN or infinite")
