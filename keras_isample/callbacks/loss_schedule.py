"""Sets the weights of a scheduled loss at the start of each epoch."""

import keras
import numpy as np

from keras_isample.callbacks.order import Stage
from keras_isample.losses.scheduled import ScheduledLoss


class LossSchedule(keras.callbacks.Callback):
    """Gives each `ScheduledLoss` of a model the weights of the epoch.

    They are a function of the epoch alone, so that a run resumed at
    `initial_epoch` goes on as it would have.

    TensorFlow and torch read the new weights at the next step. JAX has made
    them constants of its compiled step: there the train and test functions of
    the model are made anew whenever the weights change, which compiles them
    again, at every epoch of a linear transition.

    Args:
        loss: The `ScheduledLoss`; by default all that the model was compiled
            with, as loss or as the loss of a metric such as `MeanLoss`.

    Raises:
        ValueError: When training begins, if there is none.
    """

    stage = Stage.SCHEDULES

    def __init__(self, loss=None):
        super().__init__()
        if loss is not None and not isinstance(loss, ScheduledLoss):
            raise ValueError(
                "Argument `loss` must be a ScheduledLoss, or None for those "
                f"of the model. Received: loss={loss!r}."
            )
        self.loss = loss

    def on_train_begin(self, logs=None):
        if not self._scheduled():
            raise ValueError(
                "LossSchedule found no ScheduledLoss. Compile the model with "
                "one, or give it as argument `loss`."
            )

    def on_epoch_begin(self, epoch, logs=None):
        changed = False
        for loss in self._scheduled():
            weights = loss.weights_at(epoch)
            before = keras.ops.convert_to_numpy(loss.weights)
            if not np.array_equal(before, weights):
                loss.weights.assign(weights)
                changed = True
        if changed and keras.backend.backend() == "jax":
            self.model.make_train_function(force=True)
            if self.model.test_function is not None:
                self.model.make_test_function(force=True)

    def _scheduled(self):
        if self.loss is not None:
            return [self.loss]
        losses = keras.tree.flatten(self.model.loss)
        for metric in self.model.metrics:
            # Those given to `compile` are inside of one of Keras' own.
            for each in (metric, *getattr(metric, "metrics", ())):
                losses.append(getattr(each, "loss", None))
        found = {id(x): x for x in losses if isinstance(x, ScheduledLoss)}
        return list(found.values())
