"""E(c) > U(0, 1) - epsilon."""

import numpy as np
import pytest

from keras_isample.sampling.acceptance import accept
from keras_isample.sampling.acceptance import acceptance_probability

BELOW_ONE = np.nextafter(1.0, 0.0)


def test_without_slack_no_error_is_never_accepted():
    assert not accept(0, 0.0, 0)


def test_without_slack_an_error_of_1_is_always_accepted():
    assert accept(255, BELOW_ONE, 0)


def test_slack_of_1_accepts_everything():
    assert accept(0, BELOW_ONE, 1)


def test_slack_of_a_hundredth_accepts_a_hundredth_of_no_error():
    uniform = np.array([0.0, 0.0099, 0.0101, 0.5])
    assert accept(0, uniform, 0.01).tolist() == [True, True, False, False]


def test_acceptance_means_a_greater_error_than_the_draw():
    # 51 / 255 = 0.2.
    uniform = np.array([0.19, 0.21])
    assert accept(51, uniform, 0).tolist() == [True, False]


@pytest.mark.parametrize("error", [0, 1, 51, 254, 255])
@pytest.mark.parametrize("epsilon", [0, 0.05, 1])
def test_probability_is_the_share_of_accepted_draws(error, epsilon):
    uniform = (np.arange(100_000) + 0.5) / 100_000
    share = accept(error, uniform, epsilon).mean()
    probability = acceptance_probability(error, epsilon, np.minimum)
    assert share == pytest.approx(probability, abs=1e-5)


def test_probability_never_exceeds_1():
    assert acceptance_probability(255, 0.5, np.minimum) == 1
