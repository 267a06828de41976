"""Draws of indices from draws of U(0, 1)."""

import numpy as np
import pytest

from keras_isample.sampling.inverse import below
from keras_isample.sampling.inverse import choose

LAST = np.nextafter(1.0, 0.0)


@pytest.mark.parametrize("limit", [1, 3, 2**31 - 1, 2**40])
def test_integers_stay_below_the_limit(limit):
    drawn = below(limit, np.array([0.0, 0.5, LAST]))
    assert drawn.tolist() == [0, limit // 2, limit - 1]


def test_indices_follow_the_weights():
    uniform = (np.arange(1000) + 0.5) / 1000
    drawn = choose(np.array([0.0, 1.0, 0.0, 3.0, 0.0]), uniform)
    assert np.bincount(drawn, minlength=5).tolist() == [0, 250, 0, 750, 0]


@pytest.mark.parametrize("weights", [[0, 1e-300, 0], [0, 0.1, 0.0]])
def test_an_index_of_weight_0_is_never_chosen(weights):
    drawn = choose(np.array(weights), np.array([0.0, 0.3, LAST, 1.0]))
    assert drawn.tolist() == [1] * 4
