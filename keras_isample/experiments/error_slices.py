"""E(x) of one slice of a training scan, from models saved early and late."""

from dataclasses import dataclass

import numpy as np

from keras_isample.data.preparation import prepare_case
from keras_isample.figures.error_map_slices import ErrorMapRow
from keras_isample.figures.error_map_slices import draw_error_map_slices
from keras_isample.inference.predictor import predictor_for
from keras_isample.losses.labels import voxel_errors
from keras_isample.models.loading import load_model
from keras_isample.training.run_data import open_cohort

_SOFT_TISSUE_HU = (-160, 240)


@dataclass(frozen=True)
class AxialSlice:
    """One slice of a prepared scan.

    Attributes:
        case: The `PreparedCase`.
        index: Its place along the third axis.
    """

    case: object
    index: int

    def image(self):
        """Stored intensities of the first channel, `(x, y)`."""
        return np.array(self.case.image()[0, :, :, self.index])

    def labels(self):
        """Classes, `(x, y)`."""
        return np.array(self.case.labels()[:, :, self.index])

    def errors(self, model, tile_memory):
        """E(x) = 1 - p(true class), float32 `(x, y)`."""
        labels = self.case.trained_labels(self.labels()).astype(np.int64)
        result = np.full(labels.shape, np.nan, np.float32)
        predictor = predictor_for(model, tile_memory)
        for start, probabilities in predictor.tiles(self.case.scan()):
            at = self.index - start[2]
            if not 0 <= at < probabilities.shape[2]:
                continue
            place = tuple(
                slice(a, a + n)
                for a, n in zip(start[:2], probabilities.shape[:2], strict=True)
            )
            result[place] = voxel_errors(
                labels[place], probabilities[:, :, at], self.case.merged
            )
        return result


def largest_slice(labels):
    """Index along the third axis of the slice that shows most of the organs.

    With several classes the areas are summed as shares of each class's
    largest area, so that the large organs do not decide alone.

    Args:
        labels: Classes, `(x, y, z)`.
    """
    score = np.zeros(labels.shape[2])
    for value in np.unique(labels):
        if value:
            area = np.count_nonzero(labels == value, axis=(0, 1))
            score += area / area.max()
    return int(score.argmax())


def draw_error_slices(comparison, arms, path):
    """Draws a row of panels for each arm: scan, truth, E early, E late.

    E is computed anew, with the models after the first and the last epoch of
    each arm's first seed, over the first training scan that holds an organ.

    Args:
        comparison: The `Comparison`.
        arms: Its arms to show, those that have no finished run left out.
        path: The PNG to write.

    Returns:
        Whether there was anything to draw.
    """
    arms = [a for a in arms if comparison.has_finished(a, a.seeds[0])]
    if not arms:
        return False
    config = comparison.config(arms[0], arms[0].seeds[0])
    shown = _slice_to_show(comparison.run_folder(arms[0], arms[0].seeds[0]))
    if shown is None:
        return False
    epochs = (1, config.training.epochs)
    rows = []
    for arm in arms:
        files = [comparison.snapshot(arm, arm.seeds[0], e) for e in epochs]
        models = [load_model(file, compile=False) for file in files]
        errors = [
            shown.errors(model, config.training.tile_bytes) for model in models
        ]
        rows.append(ErrorMapRow(arm.title, errors))
    steps = [epoch * config.training.steps_per_epoch for epoch in epochs]
    is_ct = config.data.intensity == "ct"
    draw_error_map_slices(
        path,
        shown.image(),
        shown.labels(),
        rows,
        [f"E after {number} steps" for number in steps],
        window=_SOFT_TISSUE_HU if is_ct else None,
        aspect=shown.case.spacing[1] / shown.case.spacing[0],
    )
    return True


def _slice_to_show(folder):
    cohort = open_cohort(folder.config())
    for case in cohort.subset(folder.cases("train")).cases:
        prepared = prepare_case(cohort, case)
        if any(prepared.counts[1:]):
            return AxialSlice(prepared, largest_slice(prepared.labels()))
    return None
