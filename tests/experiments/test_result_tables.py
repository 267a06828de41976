"""Tables of runs whose numbers were chosen by hand."""

import pytest

from keras_isample.experiments import Arm
from keras_isample.experiments.result_tables import curves_table
from keras_isample.experiments.result_tables import dice_table
from keras_isample.experiments.result_tables import epsilon_table
from keras_isample.experiments.result_tables import evaluation_table
from keras_isample.experiments.result_tables import half_table
from keras_isample.experiments.result_tables import runs_table
from keras_isample.experiments.result_tables import time_table
from keras_isample.experiments.statistics import Measured
from keras_isample.training.history import read_history
from keras_isample.training.history import write_history


@pytest.fixture
def arms(comparison, pretend):
    """isample is at 0.5, 0.7, 0.8, 0.9 in the mean, uniform at 0.2 ... 0.7."""
    isample, uniform = comparison.arms
    pretend(isample, 0, [0.4, 0.6, 0.8, 0.9], test_dice=0.85)
    pretend(isample, 1, [0.6, 0.8, 0.8, 0.9], test_dice=0.75)
    pretend(uniform, 0, [0.2, 0.4, 0.7, 0.6], test_dice=0.5)
    pretend(uniform, 1, [0.2, 0.4, 0.8, 0.7], test_dice=0.7)
    return isample, uniform


def approx(cell):
    return pytest.approx(tuple(cell))


def test_dice_at_n_steps(comparison, arms):
    table = dice_table(comparison, arms, arms[1])
    # An eighth, a quarter and so on of 12 steps; validated every 3.
    assert table.header[2:6] == ("2 steps", "3 steps", "6 steps", "12 steps")
    isample, uniform = table.rows
    assert isample[:2] == ("isample", 2)
    assert isample[2] == Measured(None, None, 0)
    # Distances of 0.1 from the mean, twice: sqrt(0.02).
    assert isample[3] == approx((0.5, 0.02**0.5, 2))
    assert isample[4] == approx((0.7, 0.02**0.5, 2))
    assert isample[5] == approx((0.9, 0.0, 2))
    assert uniform[5] == approx((0.65, 0.005**0.5, 2))


def test_steps_to_what_uniform_reached(comparison, arms):
    isample, uniform = dice_table(comparison, arms, arms[1]).rows
    # Uniform ends at 0.65, its level, too, and was at 0.75 before.
    assert isample[6:] == (6, 9, 6)
    assert uniform[6:] == (9, 9, 9)


def test_lengths_of_half_a_run(comparison, arms, pretend):
    _, uniform = arms
    settings = {"sampling": "isample", "epochs": 2}
    half = Arm("half", "half as long", settings, (0, 1))
    comparison.arms.append(half)
    pretend(half, 0, [0.4, 0.6], test_dice=0.6)
    # The second seed has not finished: neither arm's counts.
    table = half_table(comparison, [half, uniform])
    assert table.rows == [
        ("half as long", 1, 6, (0.6, None, 1), (0.6, None, 1)),
        ("uniform", 1, 12, (0.6, None, 1), (0.5, None, 1)),
    ]


def test_published_rows_are_below(comparison, arms):
    published = {"published, isample": (0.1, None, 0.3, 0.4)}
    table = dice_table(comparison, arms, arms[1], published)
    last = table.rows[-1]
    assert last[:6] == ("published, isample", None, 0.1, None, 0.3, 0.4)
    assert last[6:] == (None, None, None) and len(last) == len(table.header)
    assert "VISCERAL" in table.note
    assert "VISCERAL" not in dice_table(comparison, arms, arms[1]).note


def test_only_finished_runs_count(comparison, pretend):
    isample, uniform = comparison.arms
    pretend(isample, 0, [0.1, 0.2, 0.3, 0.4])
    pretend(isample, 1, [0.9, 0.9])  # Two epochs short.
    pretend(uniform, 0, [0.9] * 4, finished=False)
    rows = dice_table(comparison, [isample, uniform], uniform).rows
    assert rows[0][:2] == ("isample", 1)
    assert rows[0][5] == Measured(0.4, None, 1)
    assert rows[1][:3] == ("uniform", 0, Measured(None, None, 0))
    assert rows[0][6:] == (None, None, None)
    finished = [row[2] for row in runs_table(comparison).rows]
    assert finished == ["commit0"] + ["not finished"] * 3


def test_test_dice(comparison, arms):
    table = evaluation_table(comparison, arms)
    assert table.header == ("structure", "isample", "uniform")
    for row, name in zip(table.rows, ("ball", "mean"), strict=True):
        assert row[0] == name
        assert row[1] == approx((0.8, 0.005**0.5, 2))
        assert row[2] == approx((0.6, 0.02**0.5, 2))


def test_split_without_test_cases_is_said(comparison, pretend):
    arms = comparison.arms
    pretend(arms[0], 0, [0.1] * 4)
    table = evaluation_table(comparison, arms)
    assert table.rows == []
    assert "no test scans" in table.note


def test_effect_of_epsilon(comparison, arms):
    rows = epsilon_table(comparison, arms).rows
    assert [row[0] for row in rows] == ["0.1", "uniform"]
    assert rows[0][1] == 2
    assert rows[0][6] == approx((0.8, 0.005**0.5, 2))
    assert rows[0][7] == approx((0.6, 0.0, 2))


def test_time(comparison, arms):
    isample, uniform = time_table(comparison, arms).rows
    # Four epochs of 30 + 15 + 15 seconds, and of 30 + 15.
    assert isample[1] == approx((4, 0, 2))
    assert [cell.mean for cell in isample[2:]] == [0.5, 0.25, 0.25]
    assert uniform[1] == approx((3, 0, 2))
    assert [c.mean for c in uniform[2:]] == approx((2 / 3, 0, 1 / 3))


def test_curves_have_a_row_a_step(comparison, arms):
    table = curves_table(comparison, arms)
    assert [row[:2] for row in table.rows] == [
        (name, step)
        for name in ("isample", "uniform")
        for step in (3, 6, 9, 12)
    ]
    place = table.header.index("loss")
    assert [row[place].mean for row in table.rows[:4]] == approx(
        (1, 1 / 2, 1 / 3, 1 / 4)
    )


def test_columns_that_some_arms_lack_are_empty_there(comparison, arms):
    isample, uniform = arms
    for seed in (0, 1):
        path = comparison.run_folder(uniform, seed).history_file
        rows = read_history(path)
        for row in rows:
            row |= {"error_maps_new": 2.0 + seed}
        write_history(path, rows, ["ball"])
    table = curves_table(comparison, arms)
    place = table.header.index("error_maps_new")
    cells = [row[place] for row in table.rows]
    assert cells[:4] == [None] * 4
    assert cells[4] == approx((2.5, 0.5**0.5, 2))
    assert table.to_csv()


def test_runs_name_their_commits(comparison, arms):
    assert [row[0:3:2] for row in runs_table(comparison).rows] == [
        ("a-seed0", "commit0"),
        ("b-seed0", "commit0"),
        ("a-seed1", "commit1"),
        ("b-seed1", "commit1"),
    ]
