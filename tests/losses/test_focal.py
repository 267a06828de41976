"""Focal loss by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_isample.losses import CrossEntropy
from keras_isample.losses import Focal

LABELS = np.array([[0, 1, 255, 2]])
P = np.array([[[0.9, 0.1, 0], [0.2, 0.5, 0.3], [1, 0, 0], [0.75, 0, 0.25]]])
TRUE = np.array([0.9, 0.5, 0.25])


def per_example(labels=LABELS, p=P, **options):
    return ops.convert_to_numpy(Focal(reduction=None, **options)(labels, p))


def test_easy_voxels_are_turned_down():
    expected = np.mean(-((1 - TRUE) ** 2) * np.log(TRUE))
    assert per_example() == pytest.approx([expected])


def test_gamma_is_the_power():
    expected = np.mean(-((1 - TRUE) ** 0.5) * np.log(TRUE))
    assert per_example(gamma=0.5) == pytest.approx([expected])


def test_class_weights_do_not_divide():
    errors = -((1 - TRUE) ** 2) * np.log(TRUE)
    expected = np.sum([0.25, 1.0, 3.0] * errors) / 3
    found = per_example(class_weights=[0.25, 1.0, 3.0])
    assert found == pytest.approx([expected])


def test_gamma_0_is_cross_entropy(random_batch):
    labels, _, p = random_batch((2, 4, 3))
    expected = float(CrossEntropy()(labels, p))
    assert float(Focal(0)(labels, p)) == pytest.approx(expected, rel=1e-6)


def test_merged_classes_count_with_background():
    labels = np.array([[256, 256, 255, 257]])
    p = np.array([[[0.5, 0.1, 0.4], [0.2, 0.5, 0.3], [1, 0, 0], [0.5, 0.5, 0]]])
    true = np.array([0.9, 0.5, 0.5])
    expected = np.mean(-((1 - true) ** 2) * np.log(true))
    found = per_example(labels, p, merged_classes=[[2]])
    assert found == pytest.approx([expected])


def test_batch_counts_voxels_of_all_examples():
    labels = np.array([[0, 255], [1, 1]])
    p = np.full((2, 2, 2), 0.5)
    one = 0.25 * np.log(2)
    found = per_example(labels, p, batch=True)
    assert found == pytest.approx([one / 1.5, 2 * one / 1.5])


def test_keras_has_the_same(random_batch):
    labels, _, p = random_batch((2, 6, 5))
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0)
    expected = float(theirs(np.eye(4)[labels], p))
    assert float(Focal()(labels, p)) == pytest.approx(expected, rel=1e-5)


def test_small_gamma_has_a_finite_slope_at_p_1(gradient):
    p = np.array([[[1.0, 0.0]]])
    slope = gradient(lambda p: Focal(0.25)(np.array([[0]]), p), p)
    assert np.isfinite(slope).all()


def test_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="`gamma`"):
        Focal(-1)


def test_config_keeps_what_is_its_own():
    loss = Focal(3.0, class_weights=[1, 2], batch=True)
    config = loss.get_config()
    assert config["gamma"] == 3.0 and config["batch"] is True
    assert config["class_weights"] == (1.0, 2.0)
