import numpy as np
import pytest

from keras_isample.volumes.levels import count_levels
from keras_isample.volumes.levels import percentiles

RNG = np.random.default_rng(0)
PERCENTS = (0.0, 1.0, 37.3, 50.0, 99.5, 100.0)


@pytest.mark.parametrize(
    "array",
    [
        RNG.normal(0, 1, (7, 8, 9)).astype(np.float32),
        RNG.normal(-1e6, 1, (7, 8, 9)).astype(np.float32),
        RNG.normal(0, 1e-30, 101),
        RNG.integers(-300, 300, (7, 8, 9)).astype(np.int16),
        np.asfortranarray(RNG.exponential(5, (7, 8, 9)))[::-1],
        np.arange(256, dtype=np.uint8),
        np.array([5.0]),
        np.array([-0.0, 0, 1, -1]),
    ],
)
def test_percentiles_are_those_of_numpy(array):
    expected = np.percentile(array.astype(np.float32).astype(float), PERCENTS)
    found = percentiles(array, PERCENTS)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_values_left_out_do_not_count():
    array = np.array([-1e9, 0, 0, 1, 2, 3, 70], np.float32)
    assert percentiles(array, (0, 50, 100), (-1e9, 70, 0)) == (1, 2, 3)


def test_no_value_at_all_is_an_error():
    with pytest.raises(ValueError, match="without"):
        percentiles(np.zeros(4), (50,), (0.0,))


def test_large_arrays_are_looked_at_part_by_part():
    array = RNG.normal(0, 1, (3, 800, 1000)).astype(np.float32)
    expected = np.percentile(array.astype(float), PERCENTS)
    np.testing.assert_allclose(percentiles(array, PERCENTS), expected)


def test_levels_are_counted_up_to_a_bound():
    array = np.arange(30).reshape(2, 3, 5) % 7
    assert count_levels(array, 10) == 7
    assert count_levels(array, 4) == 4
