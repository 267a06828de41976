"""E(x) of a slice, against probabilities known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.experiments.error_slices import AxialSlice
from keras_isample.experiments.error_slices import largest_slice


def test_slice_where_the_organ_is_largest():
    labels = np.zeros((4, 4, 5), np.uint8)
    labels[0, :2, 1] = 1
    labels[:2, :2, 3] = 1
    assert largest_slice(labels) == 3


def test_large_organs_do_not_decide_alone():
    labels = np.zeros((8, 8, 4), np.uint8)
    labels[:4, :, 0] = 1  # 32 voxels, its largest area
    labels[:3, :, 2] = 1  # 24: 3/4 of it
    labels[7, :3, 2] = 2  # 3, the largest area of the small organ
    assert largest_slice(labels) == 2


@pytest.mark.slow
def test_a_merged_organ_is_right_where_the_model_finds_it(
    make_case, threshold_model
):
    # The model says class 1 where the stored intensity is above 0.
    image = np.where(np.arange(16) < 7, -200, 200) * np.ones((17, 16, 16))
    case = make_case(np.zeros(image.shape), image, num_classes=2)
    model = threshold_model()
    for merged, wrong in (((), 1), ((1,), 0)):
        shown = AxialSlice(replace(case, merged=merged), 9)
        errors = shown.errors(model, 10**6)
        assert np.allclose(errors, wrong, atol=1e-3)


@pytest.mark.slow
def test_errors_are_where_the_prediction_is_wrong(make_case, threshold_model):
    # The model says class 1 where the stored intensity is above 0.
    rng = np.random.default_rng(0)
    image = np.where(rng.random((19, 22, 18)) < 0.5, -200, 200)
    labels = (image > 0).astype(np.uint8)
    labels[3:6, 4:9, 7] = 1 - labels[3:6, 4:9, 7]
    shown = AxialSlice(make_case(labels, image), 7)
    errors = shown.errors(threshold_model(), 10**6)
    expected = np.zeros((19, 22))
    expected[3:6, 4:9] = 1
    assert np.allclose(errors, expected, atol=1e-3)
    assert np.array_equal(shown.image(), image[:, :, 7])
    assert np.array_equal(shown.labels(), labels[:, :, 7])
