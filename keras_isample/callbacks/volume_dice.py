"""Overlap with the truth on whole validation scans, after each epoch."""

import time

import keras
import numpy as np

from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.order import note_turn
from keras_isample.data.cohort import Cohort
from keras_isample.data.preparation import prepare_cohort
from keras_isample.inference.full_volume import predict_label_map
from keras_isample.progress import SILENT
from keras_isample.volumes.overlap import dice_per_class


class VolumeDice(keras.callbacks.Callback):
    """Segments whole scans and logs Dice and IoU of each class.

    On the training grid, without post-processing. A class that was not
    annotated in a case, or is absent from both label maps, is left out of the
    means; a class that is found where it is absent has a Dice of 0 there. A
    class that no case has gets no score at all, whatever is found, since
    finding nothing could only turn 0 into no score.

    Adds `val_dice` (mean over the foreground classes), `val_dice_<name>`,
    `val_iou`, `val_iou_<name>`, `val_accuracy` (share of the voxels that are
    right, background included) and `seconds_validation` to the
    epoch's logs, where `EarlyStopping` or `ModelCheckpoint` find them
    (`mode="max"`).

    Args:
        cohort: The validation `Cohort`.
        every: Epochs between two validations.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, as `predictor_for` says.
        progress: Called with (cases done, cases in all) while scans are
            prepared.

    Attributes:
        reporter: The `Reporter` that shows the cases that are segmented;
            silent unless another one is set.
        also: Number of an epoch, counted from 1, that is validated whatever
            `every` says; none if `None`.
    """

    stage = Stage.VALIDATION

    def __init__(self, cohort, *, every=1, tile_memory=None, progress=None):
        super().__init__()
        if not isinstance(cohort, Cohort):
            raise ValueError(
                f"Argument `cohort` must be a Cohort. Received: {cohort!r}."
            )
        if every < 1:
            raise ValueError(
                f"Argument `every` must be at least 1. Received: {every}."
            )
        self.class_names = cohort.class_names
        self.cases = prepare_cohort(cohort, progress=progress)
        self.every = every
        self.tile_memory = tile_memory
        self.reporter = SILENT
        self.also = None

    def on_epoch_end(self, epoch, logs=None):
        due = (epoch + 1) % self.every == 0 or epoch + 1 == self.also
        if not due or not self.cases or logs is None:
            return
        note_turn(self)
        self.validate(logs)

    def validate(self, logs):
        """Segments all scans now; what is found is added to `logs`."""
        started = time.monotonic()
        table, accuracy = self._measure()
        # Of one case; the mean of quotients is not the quotient of means.
        for name, values in (("dice", table), ("iou", table / (2 - table))):
            self.add_means(logs, f"val_{name}", values)
        logs["val_accuracy"] = _mean(accuracy)
        logs["seconds_validation"] = (
            logs.get("seconds_validation", 0.0) + time.monotonic() - started
        )

    def add_means(self, logs, name, table):
        """Adds the mean of each class over cases, and the mean of these.

        Args:
            logs: The dictionary that gets `<name>` and `<name>_<label>`.
            name: Of the quantity.
            table: `(cases, classes)`, nan where there is none.
        """
        means = self._class_means(table)
        logs[name] = _mean(means)
        for label, value in zip(self.class_names[1:], means, strict=True):
            logs[f"{name}_{label}"] = float(value)

    def dice(self):
        """Mean Dice of each foreground class, nan where no case has it."""
        return self._class_means(self._measure()[0])

    @property
    def scored_classes(self):
        """Foreground classes that some case has, and so can have a score."""
        return [
            k
            for k in range(1, len(self.class_names))
            if any(_holds(case, k) for case in self.cases)
        ]

    def notes(self):
        """What cannot be scored, in lines for the user."""
        if not self.cases:
            return []
        scored = self.scored_classes
        if not scored:
            return [
                "no validation case has any of the structures, so there is no "
                "validation score: the newest model is kept"
            ]
        found = []
        lost = [
            name
            for k, name in enumerate(self.class_names)
            if k and k not in scored
        ]
        if lost:
            found.append(
                f"no validation case has {', '.join(lost)}: no score for "
                + ("it" if len(lost) == 1 else "them")
            )
        healthy = [
            case.name
            for case in self.cases
            if not any(_holds(case, k) for k in scored)
        ]
        if healthy:
            found.append(
                f"{len(healthy)} of {len(self.cases)} validation cases have "
                "none of the structures; what is found there has a Dice of 0, "
                "and finding nothing has no score"
            )
        return found

    def _measure(self):
        """Dice, `(cases, classes)`, and the share of right voxels, a case."""
        num_classes = len(self.class_names)
        table = np.full((len(self.cases), num_classes), np.nan)
        accuracy = np.full(len(self.cases), np.nan)
        phase = self.reporter.phase("validation", len(self.cases), item="case")
        with phase:
            for number, case in enumerate(self.cases):
                prediction = predict_label_map(
                    self.model,
                    case.scan(),
                    tile_memory=self.tile_memory,
                    progress=phase.within,
                )
                labels = case.labels()
                row = dice_per_class(labels, prediction, num_classes)
                row[list(case.missing)] = np.nan
                table[number] = row
                if not case.missing:
                    accuracy[number] = np.mean(labels == prediction)
                phase(number + 1)
        return table, accuracy

    def _class_means(self, table):
        """Means over cases, nan for a class that cannot be scored."""
        scored = self.scored_classes
        return [
            _mean(table[:, k]) if k in scored else float("nan")
            for k in range(1, len(self.class_names))
        ]


def _holds(case, index):
    """Whether a class was annotated in a case and has a voxel there."""
    return case.counts[index] > 0 and index not in case.missing


def _mean(values):
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
