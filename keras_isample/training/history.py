"""One row an epoch, on disk after every epoch."""

import csv
import io
import math

from keras_isample.callbacks.validation_plan import ESTIMATE
from keras_isample.callbacks.validation_plan import SCORE
from keras_isample.volumes.files import write_text

FIRST_COLUMNS = (
    "epoch",
    "step",
    "loss",
    "loss_total",
    "learning_rate",
    "noise_scale",
    "acceptance_rate",
    "mean_error",
    "val_dice",
    "val_iou",
    "val_accuracy",
)
CONCURRENT_COLUMNS = ("error_map_step", "error_maps_new")
"""Only there where error maps were made while training went on."""

LAST_COLUMNS = (
    "seconds_training",
    "seconds_error_maps",
    "seconds_validation",
)


def write_history(path, rows, label_names):
    """Writes `history.csv`, replacing an older one as a whole.

    Args:
        path: The file.
        rows: One dictionary an epoch; what is missing stays empty.
        label_names: Foreground classes, for the columns `val_dice_<label>`.
    """
    known = {key for row in rows for key in row}
    estimates = [ESTIMATE, *(f"{ESTIMATE}_{name}" for name in label_names)]
    columns = (
        *FIRST_COLUMNS,
        *(name for name in CONCURRENT_COLUMNS if name in known),
        *(f"val_dice_{name}" for name in label_names),
        # Only there where validations were estimates.
        *(estimates if ESTIMATE in known else ()),
        *LAST_COLUMNS,
    )
    text = io.StringIO()
    writer = csv.DictWriter(
        text, columns, extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: "" if value is None or value != value else value
                for key, value in row.items()
            }
        )
    write_text(path, text.getvalue())


def read_history(path):
    """Rows of `history.csv`: numbers, or `None` where a cell is empty."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {key: float(value) if value else None for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def epochs_since_best(rows):
    """Epochs from the one with the best validation Dice to the last one.

    0 where the last one was not validated, as nothing is known of it.
    """
    best = best_score(rows)
    if best is None or best_score(rows[-1:]) is None:
        return 0
    scores = [row.get("val_dice") for row in rows]
    return len(rows) - 1 - scores.index(best)


def is_better(score, best):
    """Whether an epoch's model is to be kept in place of an earlier one's.

    Of two epochs that found nothing right the later one is: its Dice, 0, says
    nothing for the earlier one.

    Args:
        score: Validation Dice of the epoch, `None` or nan if it has none.
        best: Highest of those before, or `None`.
    """
    if score is None or math.isnan(score):
        return best is None
    return best is None or score > best or score == best == 0


def best_score(rows, column=SCORE):
    """Highest validation Dice of some rows; `None` if there is none."""
    known = [row.get(column) for row in rows]
    return max(
        (v for v in known if v is not None and not math.isnan(v)), default=None
    )


def best_epochs(rows, column, count):
    """The epochs whose models are to be kept, if that many are.

    Args:
        rows: The history, one dictionary an epoch.
        column: What is the higher the better.
        count: How many epochs at most.

    Returns:
        Numbers of epochs, from 1, the best one first; in the order of
        `is_better`.
    """
    chosen, left = [], dict(enumerate(rows, start=1))
    while left and len(chosen) < count:
        best = None
        for epoch, row in left.items():
            score = row.get(column)
            if score is None or math.isnan(score):
                continue
            if best is None or is_better(score, left[best][column]):
                best = epoch
        if best is None:
            break
        chosen.append(best)
        del left[best]
    return chosen
