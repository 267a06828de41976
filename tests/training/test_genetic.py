"""Parents and rates of the next population."""

import math

import numpy as np
import pytest

from keras_isample.training.genetic import TruncationSelection
from keras_isample.training.genetic import WinnerTakesAll


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_winner_gives_its_rate_times_2_1_and_half(rng):
    operator = WinnerTakesAll()
    parents = operator.select([0.1, 0.7, 0.3])
    assert parents == [1, 1, 1]
    rates = operator.vary([0.05, 0.01, 0.005], parents, rng)
    assert rates == [0.02, 0.01, 0.005]


def test_population_may_have_any_size(rng):
    operator = WinnerTakesAll([4, 2, 1, 0.5, 0.25])
    parents = operator.select([0.2, 0.1])
    rates = operator.vary([1.0, 3.0], parents, rng)
    assert rates == [4, 2, 1, 0.5, 0.25]


def test_fitness_of_the_winner_is_its_best_score():
    assert WinnerTakesAll().fitness([0.2, 0.9, 0.4]) == 0.9


@pytest.mark.parametrize("scores", [[], [None], [math.nan]])
@pytest.mark.parametrize("operator", [WinnerTakesAll(), TruncationSelection()])
def test_without_scores_nothing_is_fit(operator, scores):
    assert operator.fitness(scores) == -math.inf


def test_diverged_member_is_not_selected():
    assert WinnerTakesAll().select([-math.inf, 0.0, -math.inf]) == [1, 1, 1]


def test_truncation_judges_by_the_last_score():
    assert TruncationSelection().fitness([0.9, 0.4, None]) == 0.4


def test_worst_fifth_copies_the_best_fifth():
    fitness = [0.5, 0.9, 0.1, 0.8, 0.6, 0.7, 0.55, 0.2, 0.65, 0.66]
    parents = TruncationSelection().select(fitness)
    assert parents[2] in (1, 3) and parents[7] in (1, 3)
    assert {parents[2], parents[7]} == {1, 3}
    others = [i for i in range(10) if i not in (2, 7)]
    assert [parents[i] for i in others] == others


def test_all_members_without_score_are_replaced():
    fitness = [0.5, -math.inf, -math.inf, -math.inf]
    assert TruncationSelection().select(fitness) == [0, 0, 0, 0]


def test_single_member_goes_on(rng):
    operator = TruncationSelection()
    assert operator.select([0.3]) == [0]
    assert operator.vary([0.1], [0], rng) == [0.1]


def test_only_copies_get_another_rate(rng):
    rates = TruncationSelection(factors=[3.0]).vary([1, 2, 4], [0, 1, 0], rng)
    assert rates == [1, 2, 3]


@pytest.mark.parametrize("share", [0, 0.6])
def test_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        TruncationSelection(share)
