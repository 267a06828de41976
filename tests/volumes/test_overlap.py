import tracemalloc

import numpy as np
import pytest

from keras_isample.volumes import overlap
from keras_isample.volumes.overlap import confusion_counts
from keras_isample.volumes.overlap import dice_per_class


def test_counts_by_hand():
    reference = np.array([0, 0, 1, 1, 1, 2])
    prediction = np.array([0, 1, 1, 1, 2, 2])
    counts = confusion_counts(reference, prediction, 3)
    assert counts["TP"].tolist() == [1, 2, 1]
    assert counts["FP"].tolist() == [0, 1, 1]
    assert counts["FN"].tolist() == [1, 1, 0]
    assert counts["TN"].tolist() == [4, 2, 4]


def test_dice_by_hand():
    reference = np.array([0, 0, 1, 1, 1, 2])
    prediction = np.array([0, 1, 1, 1, 2, 2])
    dice = dice_per_class(reference, prediction, 3)
    np.testing.assert_allclose(dice, [2 / 3, 4 / 6, 2 / 3])


def test_absent_from_both_is_nan_and_from_one_is_zero():
    reference = np.array([0, 1, 1])
    prediction = np.array([0, 2, 2])
    dice = dice_per_class(reference, prediction, 4)
    np.testing.assert_array_equal(dice, [1.0, 0.0, 0.0, np.nan])


@pytest.mark.parametrize("orders", ["CC", "FF", "CF", "FC"])
def test_memory_layout_does_not_matter(orders, monkeypatch):
    monkeypatch.setattr(overlap, "_SLAB_VOXELS", 50)
    rng = np.random.default_rng(0)
    reference, prediction = rng.integers(0, 4, (2, 7, 6, 5)).astype(np.uint8)
    counts = confusion_counts(
        np.asarray(reference, order=orders[0]),
        np.asarray(prediction, order=orders[1]),
        4,
    )
    for k in range(4):
        both = np.sum((reference == k) & (prediction == k))
        assert counts["TP"][k] == both
        assert counts["FN"][k] == np.sum(reference == k) - both
        assert counts["FP"][k] == np.sum(prediction == k) - both
    total = sum(counts[name] for name in counts)
    assert (total == reference.size).all()


def test_class_products_do_not_overflow_uint8():
    reference = np.full((2, 2), 100, np.uint8)
    counts = confusion_counts(reference, reference, 101)
    assert counts["TP"][100] == 4
    assert counts["TP"].sum() == 4


def test_maps_may_have_different_dtypes():
    reference = np.array([0, 1], np.uint64)
    prediction = np.array([False, True])
    assert confusion_counts(reference, prediction, 2)["TP"].tolist() == [1, 1]


def test_temporary_arrays_are_smaller_than_the_maps():
    reference = np.zeros((256, 256, 512), np.uint8)
    tracemalloc.start()
    confusion_counts(reference, reference, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * overlap._SLAB_VOXELS * 8


def test_empty_maps_count_nothing():
    counts = confusion_counts(np.zeros((0, 3), int), np.zeros((0, 3), int), 2)
    assert all(values.sum() == 0 for values in counts.values())


@pytest.mark.parametrize(
    "reference, prediction, words",
    [
        (np.zeros(3, int), np.zeros(4, int), "one shape"),
        (np.zeros(3), np.zeros(3, int), "`reference`.*float64"),
        (np.array([0, 3]), np.array([0, 1]), "`reference`.*from 0 to 2.*3"),
        (np.array([0, 1]), np.array([0, -1]), "`prediction`.*-1"),
    ],
)
def test_bad_input_is_refused(reference, prediction, words):
    with pytest.raises(ValueError, match=words):
        confusion_counts(reference, prediction, 3)
