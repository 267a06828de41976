"""Sums done by hand."""

import pytest

from keras_isample.experiments.statistics import Measured
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import level_of
from keras_isample.experiments.statistics import mean_history
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.statistics import steps_to_reach
from keras_isample.experiments.statistics import steps_to_stay
from keras_isample.experiments.statistics import value_at


def rows(*dice, every=10):
    return [
        {"step": float(every * i), "val_dice": d} for i, d in enumerate(dice, 1)
    ]


def test_mean_and_spread():
    # Squares of the distances from 0.5: 0.01, 0, 0.01; their sum by 2.
    measured = measure([0.4, 0.5, 0.6])
    assert measured.mean == pytest.approx(0.5)
    assert measured.spread == pytest.approx(0.1)
    assert measured.runs == 3


def test_one_value_has_no_spread():
    assert measure([0.25]) == Measured(0.25, None, 1)


def test_what_is_not_known_is_left_out():
    assert measure([None, 0.5, None]) == Measured(0.5, None, 1)
    assert measure([None]) == Measured(None, None, 0)


@pytest.mark.parametrize(
    "measured, text",
    [
        (Measured(0.8554, 0.0106, 3), "0.855 ± 0.011"),
        (Measured(0.5, None, 1), "0.500"),
        (Measured(None, None, 0), "-"),
    ],
)
def test_text(measured, text):
    assert str(measured) == text


def test_histories_are_averaged_step_by_step():
    averaged = mean_history([rows(0.2, 0.6), rows(0.4, 1.0)])
    assert [row["step"] for row in averaged] == [10, 20]
    assert averaged[0]["val_dice"].mean == pytest.approx(0.3)
    assert averaged[1]["val_dice"].mean == pytest.approx(0.8)
    # sqrt((0.2^2 + 0.2^2) / 1)
    assert averaged[1]["val_dice"].spread == pytest.approx(0.08**0.5)


def test_only_steps_of_all_histories_are_averaged():
    averaged = mean_history([rows(0.2, 0.6, 0.7), rows(0.4, 1.0)])
    assert [row["step"] for row in averaged] == [10, 20]


def test_no_history_has_no_mean():
    assert mean_history([]) == []


def test_fractions_are_those_of_the_papers():
    assert fractions_of(40_000) == [5_000, 10_000, 20_000, 40_000]
    assert fractions_of(12) == [2, 3, 6, 12]
    assert fractions_of(2) == [1, 1, 1, 2]


def test_value_is_the_newest_up_to_the_step():
    history = rows(0.1, None, 0.3)
    assert value_at(history, 10, "val_dice") == 0.1
    assert value_at(history, 29, "val_dice") == 0.1
    assert value_at(history, 30, "val_dice") == 0.3
    assert value_at(history, 9, "val_dice") is None


def test_runs_without_whole_validations_have_no_level():
    """As those that estimate, until their end."""
    averaged = mean_history([rows(None, None), rows(None, None)])
    assert level_of(averaged) is None
    assert steps_to_reach(averaged, 0.5) is None
    # At the end, of the best of each.
    averaged = mean_history([rows(None, 0.4, None), rows(0.2, None, None)])
    assert [row["val_dice"].mean for row in averaged] == [0.2, 0.4, None]
    assert level_of(averaged) == 0.4


def test_first_step_that_reaches_the_target():
    # Means 0.3, 0.5, 0.4, 0.6.
    averaged = mean_history(
        [rows(0.2, 0.5, 0.4, 0.5), rows(0.4, 0.5, 0.4, 0.7)]
    )
    assert steps_to_reach(averaged, 0.3) == 10
    assert steps_to_reach(averaged, 0.45) == 20
    assert steps_to_reach(averaged, 0.55) == 40
    assert steps_to_reach(averaged, 0.65) is None


def test_level_is_the_mean_of_the_last_quarter():
    averaged = mean_history([rows(*[0.1] * 4, 0.2, 0.3, 0.5, 0.7)])
    assert level_of(averaged) == pytest.approx(0.6)
    assert level_of(averaged[:5]) == pytest.approx(0.15)
    assert level_of(averaged[:1]) == pytest.approx(0.1)
    assert level_of([]) is None


def test_steps_from_which_on_the_target_is_kept():
    averaged = mean_history([rows(0.5, 0.3, 0.4, 0.6)])
    assert steps_to_stay(averaged, 0.2) == 10
    assert steps_to_stay(averaged, 0.35) == 30
    assert steps_to_stay(averaged, 0.6) == 40
    assert steps_to_stay(averaged, 0.65) is None


def test_epochs_without_validation_reach_nothing():
    averaged = mean_history([rows(None, 0.5)])
    assert steps_to_reach(averaged, 0.1) == 20
