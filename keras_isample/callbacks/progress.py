"""Progress on stderr: a bar on a terminal, one line an epoch elsewhere."""

import math
import sys
import time

import keras
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn


class ProgressReport(keras.callbacks.Callback):
    """Reports every epoch, and on a terminal every step.

    To be called after the callbacks that add to the epoch's logs.

    Args:
        stream: Where to write; stderr if `None`.
    """

    def __init__(self, stream=None):
        super().__init__()
        self.stream = stream or sys.stderr
        self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()
        if self.stream.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(file=self.stream),
                transient=True,
            )
            epochs = self.params["epochs"]
            self._task = self._bar.add_task(
                f"epoch {epoch + 1}/{epochs}",
                total=self.params["steps"],
                note="",
            )
            self._bar.start()

    def on_train_batch_end(self, batch, logs=None):
        if self._bar is None:
            return
        last = batch + 1 == self.params["steps"]
        note = "predicting whole scans" if last else ""
        if logs and not last:
            note = f"loss {float(logs['loss']):.4f}"
        self._bar.update(self._task, completed=batch + 1, note=note)

    def on_epoch_end(self, epoch, logs=None):
        self._stop()
        logs = logs or {}
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}"]
        for key, name in (
            ("data_loss", "loss"),
            ("learning_rate", "rate"),
            ("acceptance_rate", "accepted"),
            ("mean_error", "error"),
            ("val_dice", "Dice"),
            ("val_dice_estimated", "Dice (estimated)"),
        ):
            value = logs.get(key)
            if value is not None and not math.isnan(value):
                parts.append(f"{name} {value:.4g}")
        parts.append(f"{time.monotonic() - self._started:.0f} s")
        print("  ".join(parts), file=self.stream, flush=True)

    def on_train_end(self, logs=None):
        self._stop()

    def _stop(self):
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
