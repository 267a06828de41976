"""Both samplings at more rates, from runs written by hand."""

import pytest

from keras_isample.errors import InputError
from keras_isample.experiments import parse_rates
from keras_isample.experiments.learning_rates import arms_at_rates
from keras_isample.experiments.learning_rates import draw_rates
from keras_isample.experiments.learning_rates import rates_table


def test_rates():
    assert parse_rates("") == []
    assert parse_rates("0.006, 0.02") == [0.006, 0.02]


@pytest.mark.parametrize("text", ["a", "0", "-0.1", "nan", "inf", "auto"])
def test_wrong_rates_are_refused(text):
    with pytest.raises(InputError, match="`learning_rates`"):
        parse_rates(text)


@pytest.fixture
def pairs(comparison, pretend):
    """Uniform ends with 0.5 and 0.6, isample is best with the higher rate."""
    isample, uniform = comparison.arms
    faster = arms_at_rates(comparison.arms, [0.5])
    comparison.arms += faster
    pretend(isample, 0, [0.2, 0.3, 0.5, 0.6], test_dice=0.7)
    pretend(uniform, 0, [0.1, 0.2, 0.8, 0.5], test_dice=0.4)
    pretend(faster[0], 0, [0.4, 0.6, 0.7, 0.8], test_dice=0.9)
    pretend(faster[1], 0, [0.3, 0.4, 0.5, 0.6], test_dice=0.5)
    return [(isample, uniform), tuple(faster)]


def test_best_rate_of_uniform_is_what_isample_is_measured_by(comparison, pairs):
    table = rates_table(comparison, pairs)
    common = comparison.config(pairs[0][0], 0).optimizer.learning_rate
    # An eighth of the steps is before the first validation.
    names = [(row[0], row[1]) for row in table.rows]
    assert names == [
        ("isample", f"{common:g}"),
        ("isample", "0.5"),
        ("uniform", f"{common:g}"),
        ("uniform", "0.5"),
    ]
    # 0.6, which uniform has at rate 0.5 after 12 steps; 0.8 was in between.
    assert [row[-1] for row in table.rows] == [12, 6, 9, 12]
    assert [row[6].mean for row in table.rows] == [0.6, 0.8, 0.5, 0.6]
    assert [row[7].mean for row in table.rows] == [0.7, 0.9, 0.4, 0.5]


def test_only_seeds_of_all_rates_count(comparison, pairs, pretend):
    pretend(pairs[0][0], 1, [0.9] * 4)
    rows = rates_table(comparison, pairs).rows
    assert [row[2] for row in rows] == [1] * 4


def test_without_runs(comparison):
    pairs = [tuple(comparison.arms)]
    rows = rates_table(comparison, pairs).rows
    assert [row[-1] for row in rows] == [None, None]


def test_picture(comparison, pairs, tmp_path):
    draw_rates(comparison, pairs, tmp_path / "rates.png")
    from matplotlib.image import imread

    assert imread(tmp_path / "rates.png")[..., :3].std() > 0.05
