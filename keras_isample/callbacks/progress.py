"""The steps and epochs of a training, shown by a reporter."""

import math

import keras

from keras_isample.callbacks.order import Stage
from keras_isample.progress import SILENT
from keras_isample.progress import Pace
from keras_isample.progress import Phase
from keras_isample.progress import clock_text

_FIRST_LINE = 10.0
"""Seconds after the first step within which a line is asked for."""

_FIGURES = (
    ("data_loss", "loss"),
    ("learning_rate", "rate"),
    ("acceptance_rate", "accepted"),
    ("mean_error", "error"),
    ("val_dice", "Dice"),
    ("val_dice_estimated", "Dice (estimated)"),
)


class ProgressReport(keras.callbacks.Callback):
    """Shows each step, and each epoch in a line.

    Args:
        reporter: The `Reporter` that shows it.
    """

    stage = Stage.REPORTS

    def __init__(self, reporter=SILENT):
        super().__init__()
        self._reporter = reporter
        self._clock = reporter.clock
        self._phase = None

    def on_train_begin(self, logs=None):
        # A training that was interrupted may have left one.
        self._end()
        self._pace = Pace()
        self._trained = None
        self._endings = []
        self._begin(Phase(self._reporter, "compiling the first step"))
        self._is_first = True

    def on_epoch_begin(self, epoch, logs=None):
        self._started = self._clock()
        if self._trained is not None:
            self._endings.append(self._started - self._trained)
        self._epoch = epoch
        if not self._is_first:
            self._begin(self._steps())

    def on_train_batch_end(self, batch, logs=None):
        self._trained = self._clock()
        if self._is_first:
            self._is_first = False
            self._begin(self._steps(batch + 1))
            self._reporter.expect(_FIRST_LINE)
        if logs:
            self._phase.note = f"loss {float(logs['loss']):.4f}"
        self._phase(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._begin(Phase(self._reporter, "saving the epoch"))
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}"]
        for key, name in _FIGURES:
            value = (logs or {}).get(key)
            if value is not None and not math.isnan(value):
                parts.append(f"{name} {value:.4g}")
        parts.append(f"{self._clock() - self._started:.0f} s")
        self._reporter.say("  ".join(parts))

    def on_train_end(self, logs=None):
        self._end()

    def _steps(self, done=0):
        return _Steps(
            self._reporter,
            self._epoch,
            self.params["epochs"],
            self.params["steps"],
            self._endings,
            self._pace,
            done,
        )

    def _begin(self, phase):
        self._end()
        self._phase = phase.begin()

    def _end(self):
        if self._phase is not None:
            self._phase.end()
            self._phase = None


class _Steps(Phase):
    """The steps of one epoch.

    Args:
        reporter: The `Reporter`.
        epoch: Number of the epoch, from 0.
        epochs: Epochs in all.
        steps: Steps of an epoch.
        endings: Seconds from the last step of an epoch to the beginning of the
            next one, of each epoch that ended.
        pace: The `Pace` of steps.
        done: Steps done.
    """

    def __init__(self, reporter, epoch, epochs, steps, endings, pace, done):
        title = f"epoch {epoch + 1}/{epochs}"
        super().__init__(reporter, title, steps, pace=pace)
        self.done = done
        self._to_come = epochs - epoch - 1
        self._endings = endings

    def head(self):
        return f"{self.title}  step {self.done}/{self.total}"

    def details(self, now):
        speed = self.pace.seconds
        left = self.seconds_left(now)
        texts = [self.note]
        if speed:
            texts.append(f"{1 / speed:.2g} steps/s")
        if left is not None:
            unknown = "" if self._endings else "at least "
            texts.append(f"{unknown}{clock_text(left)} left")
        return [text for text in texts if text]

    def seconds_left(self, now):
        """Time until the end of the training.

        With error maps, validation and all else between two epochs as they
        were on average. The first epoch compiles what predicts; once others
        are known it does not count.
        """
        items = self.total * (1 + self._to_come) - self.done
        steps = self.expected(items, now)
        if not self._endings:
            return steps if items else None
        if steps is None:
            return None
        known = self._endings[1:] or self._endings
        mean = sum(known) / len(known)
        return steps + (1 + self._to_come) * mean
