"""Class weights from counts, by hand."""

import numpy as np
import pytest

from keras_isample.losses import effective_number_weights
from keras_isample.losses import median_frequency_weights


def test_frequency_counts_only_the_cases_with_the_class():
    # Frequencies 150 / 200, 30 / 200 and 20 / 100: the median is 0.2.
    found = median_frequency_weights([[90, 10, 0], [60, 20, 20]])
    assert found == pytest.approx([0.2 / 0.75, 0.2 / 0.15, 1.0])


def test_cases_of_other_sizes_count_by_voxels():
    # Frequencies 1 (of 10), 990 / 1000 and 10 / 1000.
    found = median_frequency_weights([[10, 0, 0], [0, 990, 10]])
    assert found == pytest.approx([0.99, 1.0, 99.0])


def test_class_that_never_occurs_has_weight_0_and_no_say_in_the_median():
    found = median_frequency_weights([[80, 20, 0], [60, 40, 0]])
    assert found == pytest.approx([0.5 / 0.7, 0.5 / 0.3, 0])


def test_effective_number_by_hand():
    raw = np.array([0.5 / (1 - 0.5**n) for n in (1, 2, 3)])
    found = effective_number_weights([1, 2, 3], beta=0.5)
    assert found == pytest.approx(raw / raw.mean())


def test_cases_are_summed():
    found = effective_number_weights([[1, 0, 3], [0, 2, 0]], beta=0.5)
    expected = effective_number_weights([1, 2, 3], beta=0.5)
    assert found == pytest.approx(expected)


def test_weights_sum_to_the_number_of_classes_there_are():
    found = effective_number_weights([100, 0, 10, 5], beta=0.99)
    assert found.sum() == pytest.approx(3) and found[1] == 0


def test_beta_0_weighs_all_alike():
    assert effective_number_weights([7, 1, 3], beta=0).tolist() == [1, 1, 1]


def test_beta_near_1_is_inverse_frequency():
    counts = np.array([1e8, 1e6, 1e3])
    expected = 1 / counts / np.mean(1 / counts)
    found = effective_number_weights(counts, beta=1 - 1e-12)
    assert found == pytest.approx(expected, rel=1e-3)


def test_large_counts_have_all_the_same_weight():
    found = effective_number_weights([1e8, 1e6, 1e5], beta=0.999)
    assert found == pytest.approx([1, 1, 1])


def test_default_tells_structures_of_voxels_apart():
    # 1 - exp(-n / 1e6) for n = 1e8, 1e6 and 1e4.
    raw = 1 / np.array([1.0, 1 - np.exp(-1), 1 - np.exp(-0.01)])
    found = effective_number_weights([1e8, 1e6, 1e4])
    assert found == pytest.approx(raw / raw.mean(), rel=1e-5)


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, np.nan])
def test_beta_out_of_range_is_refused(beta):
    with pytest.raises(ValueError, match="`beta`"):
        effective_number_weights([1, 2], beta=beta)


@pytest.mark.parametrize(
    "function", [median_frequency_weights, effective_number_weights]
)
@pytest.mark.parametrize("counts", [[[0, 0]], [[-1, 2]], [[np.nan, 1]], 3])
def test_counts_without_sense_are_refused(function, counts):
    with pytest.raises(ValueError, match="`counts`"):
        function(counts)


def test_median_frequency_needs_the_cases():
    with pytest.raises(ValueError, match="one row for each case"):
        median_frequency_weights([10, 20])
