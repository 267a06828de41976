"""Linear warm-up at the start and after every change of the rate."""

import keras

from keras_isample.callbacks.order import Stage


class LearningRateWarmup(keras.callbacks.Callback):
    """Sets the rate of every step: a schedule by epochs, changed gently.

    From 0 at the start, and from the rate in force after each change of the
    schedule, the rate goes linearly to the schedule's over `warmup_epochs`.
    Where the schedule does not change there is no warm-up. The rate is a
    function of epoch and step alone, so that a resumed run has the same.

    A smooth schedule changes all the time and so warms up at the start only:
    its rate, read at every step, is multiplied by a factor that goes linearly
    from 0 to 1.

    What a change of the rate does to momentum is the optimizer's affair; see
    `keras_isample.training.sgd`.

    Adds `learning_rate` (at the last step) to the epoch's logs.

    Args:
        schedule: The rate, or a function from the epoch (from 0) to the rate.
        warmup_epochs: Length of a warm-up; 0 for none.
        smooth: Whether the schedule takes fractions of epochs and changes at
            every step.
    """

    stage = Stage.SCHEDULES

    def __init__(self, schedule, warmup_epochs=5, *, smooth=False):
        super().__init__()
        if warmup_epochs < 0:
            raise ValueError(
                "Argument `warmup_epochs` must not be negative. "
                f"Received: warmup_epochs={warmup_epochs}."
            )
        self.schedule = schedule if callable(schedule) else lambda _: schedule
        self.warmup_epochs = warmup_epochs
        self.smooth = smooth
        self._epoch = 0
        self._changes = {}

    def rate(self, epoch, step, steps):
        """The rate of a step.

        Args:
            epoch: From 0.
            step: Within the epoch, from 0.
            steps: Steps per epoch.
        """
        if self.smooth:
            rate = self.schedule(epoch + step / steps)
            return self._between(0.0, rate, epoch + (step + 1) / steps)
        begin, origin = self._last_change(epoch)
        return self._between(
            origin, self.schedule(epoch), epoch - begin + (step + 1) / steps
        )

    def _last_change(self, epoch):
        """Epoch of the last change, and the rate in force before it."""
        if epoch not in self._changes:
            begin, origin = 0, 0.0
            for changed in range(1, epoch + 1):
                before = self.schedule(changed - 1)
                if self.schedule(changed) != before:
                    origin = self._between(origin, before, changed - begin)
                    begin = changed
            self._changes[epoch] = begin, origin
        return self._changes[epoch]

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        steps = self.params.get("steps")
        if not steps:
            raise ValueError(
                "LearningRateWarmup needs a dataset whose number of batches "
                "is known, as `ISample.dataset(steps)` has."
            )
        self.model.optimizer.learning_rate = self.rate(
            self._epoch, batch, steps
        )

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = float(
                keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            )

    def _between(self, old, new, epochs):
        if epochs >= self.warmup_epochs:
            return new
        return old + (new - old) * epochs / self.warmup_epochs
