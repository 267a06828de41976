import numpy as np
import pytest

from keras_isample.volumes.padding import find_padding

RNG = np.random.default_rng(0)


def body():
    return RNG.integers(200, 1200, (12, 12, 12)).astype(np.int32)


@pytest.mark.parametrize("value", [-32768, -5000, 65535, 10**6])
@pytest.mark.parametrize("number", [1, 50, 900])
def test_value_apart_from_the_rest(value, number):
    array = body()
    array.ravel()[:number] = value
    assert find_padding(array) == (value,)


def test_several_values_apart():
    array = body()
    array.ravel()[:3] = (-32768, -(10**9), 10**7)
    assert set(find_padding(array)) == {-32768, -(10**9), 10**7}


def test_frequent_extreme():
    array = body()
    array[:7] = 150
    assert find_padding(array) == (150,)
    array = body()
    array[:7] = 1250
    assert find_padding(array) == (1250,)


def test_frequent_extreme_behind_a_value_apart():
    array = body()
    array[:7] = 0
    array[0, 0, 0] = -32768
    assert find_padding(array) == (-32768, 0)


def test_value_of_the_corners():
    array = RNG.normal(0, 1, (12, 12, 12)).astype(np.float32)
    array[[0, 1, -1]] = 0
    assert find_padding(array) == (0,)


def test_scan_without_padding():
    assert find_padding(body()) == ()
    assert find_padding(RNG.exponential(9, (12, 12, 12))) == ()


def test_few_levels_have_no_padding():
    array = np.zeros((9, 9, 9), np.uint8)
    array[4] = 200
    assert find_padding(array) == ()
