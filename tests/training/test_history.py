import csv

import pytest

from keras_isample.training.history import best_epochs
from keras_isample.training.history import is_better
from keras_isample.training.history import read_history
from keras_isample.training.history import write_history

NAMES = ["kidney", "liver, right lobe"]
ROW = {"epoch": 1, "step": 3, "loss": 0.1 + 0.2, "val_dice": 0.5}

PROMISED = (
    "epoch step loss loss_total learning_rate noise_scale acceptance_rate "
    "mean_error val_dice val_iou val_accuracy seconds_training "
    "seconds_error_maps seconds_validation"
).split()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.csv"


def test_columns_are_those_promised(path):
    write_history(path, [ROW], NAMES)
    with open(path, newline="") as file:
        columns = next(csv.reader(file))
    assert set(columns) == {*PROMISED, *(f"val_dice_{n}" for n in NAMES)}
    assert columns[:3] == ["epoch", "step", "loss"]


def test_numbers_read_back_exactly(path):
    rows = [ROW, {"epoch": 2, "loss": 1e-17, "val_dice_kidney": 1 / 3}]
    write_history(path, rows, NAMES)
    read = read_history(path)
    assert read[0]["loss"] == 0.1 + 0.2
    assert read[1]["loss"] == 1e-17
    assert read[1]["val_dice_kidney"] == 1 / 3


@pytest.mark.parametrize("nothing", [{}, {"val_dice": None}])
def test_what_is_missing_is_empty(path, nothing):
    write_history(path, [{"epoch": 1, **nothing}], NAMES)
    assert read_history(path)[0]["val_dice"] is None
    assert "None" not in path.read_text()


def test_concurrent_maps_have_columns_of_their_own(path):
    # The first epoch has no maps yet.
    rows = [
        {"epoch": 1, "error_maps_new": 0.0},
        {"epoch": 2, "error_maps_new": 2.0, "error_map_step": 4.5},
    ]
    write_history(path, rows, NAMES)
    read = read_history(path)
    assert [row["error_map_step"] for row in read] == [None, 4.5]
    assert [row["error_maps_new"] for row in read] == [0, 2]


def test_nan_is_empty(path):
    write_history(path, [{"epoch": 1, "val_dice": float("nan")}], NAMES)
    assert read_history(path)[0]["val_dice"] is None


def test_other_logs_are_left_out(path):
    write_history(path, [{"epoch": 1, "unheard": 5}], NAMES)
    assert "unheard" not in path.read_text()


def test_older_history_is_replaced(path):
    write_history(path, [ROW, ROW], NAMES)
    write_history(path, [ROW], NAMES)
    assert len(read_history(path)) == 1


@pytest.mark.parametrize(
    ("score", "best", "better"),
    [
        (None, None, True),
        (float("nan"), None, True),
        (float("nan"), 0.0, False),
        (None, 0.2, False),
        (0.0, None, True),
        (0.2, 0.1, True),
        (0.1, 0.2, False),
        (0.2, 0.2, False),
        (0.0, 0.0, True),
    ],
)
def test_which_of_two_epochs_is_kept(score, best, better):
    assert is_better(score, best) == better


def test_estimates_have_columns_of_their_own(path):
    rows = [{"epoch": 1}, {"epoch": 2, "val_dice_estimated": 0.5}]
    rows[1]["val_dice_estimated_kidney"] = 0.25
    write_history(path, rows, NAMES)
    read = read_history(path)
    assert [row["val_dice_estimated"] for row in read] == [None, 0.5]
    assert read[1]["val_dice_estimated_kidney"] == 0.25
    assert [row["val_dice"] for row in read] == [None, None]


def test_the_best_epochs_come_first():
    scores = [0.2, None, 0.5, float("nan"), 0.5, 0.0, 0.0]
    rows = [{} if s is None else {"val_dice": s} for s in scores]
    assert best_epochs(rows, "val_dice", 2) == [3, 5]
    # Of two that found nothing right the later one.
    assert best_epochs(rows, "val_dice", 9) == [3, 5, 1, 7, 6]
    assert best_epochs(rows[1:2], "val_dice", 3) == []
