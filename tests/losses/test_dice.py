"""Soft Dice by hand: absent classes, weights, sums over the batch."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_isample.losses import Dice

# Two examples of four voxels and three classes; class 2 is absent from the
# second.
LABELS = np.array([[0, 0, 1, 2], [0, 0, 0, 1]])
P = np.array(
    [
        [[0.8, 0.1, 0.1], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.0, 0.25, 0.75]],
        [[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]],
    ],
    "float32",
)
# 2 sum p t + 1 over sum p + sum t + 1, class by class.
FIRST = [(2 * 1.4 + 1) / 4.9, (2 * 0.5 + 1) / 3.25, (2 * 0.75 + 1) / 2.85]
SECOND = [(2 * 2 + 1) / 6.5, (2 * 0.5 + 1) / 3.0, 1 / 1.5]
BOTH = [(2 * 3.4 + 1) / 10.4, (2 * 1 + 1) / 5.25, (2 * 0.75 + 1) / 3.35]


def per_example(labels=LABELS, p=P, weights=None, **options):
    loss = Dice(reduction=None, **options)
    return ops.convert_to_numpy(loss(labels, p, weights))


def test_absent_class_is_left_out():
    expected = [1 - np.mean(FIRST), 1 - np.mean(SECOND[:2])]
    assert per_example() == pytest.approx(expected)


def test_absent_class_counts_by_the_formula_if_smooth():
    expected = [1 - np.mean(FIRST), 1 - np.mean(SECOND)]
    assert per_example(absent="smooth") == pytest.approx(expected)


def test_absent_class_that_is_not_predicted_has_dice_1_if_smooth():
    p = np.eye(3)[LABELS]
    assert per_example(p=p, absent="smooth").tolist() == [0, 0]


def test_predicting_an_absent_class_costs_in_the_others():
    better = P.copy()
    better[1, 1] = [1.0, 0.0, 0.0]
    assert per_example(p=better)[1] < per_example()[1]


def test_class_weights_are_those_of_a_mean():
    weights = np.array([0.5, 1.0, 2.0])
    expected = [
        1 - np.average(FIRST, weights=weights),
        1 - np.average(SECOND[:2], weights=weights[:2]),
    ]
    found = per_example(class_weights=weights)
    assert found == pytest.approx(expected)
    again = per_example(class_weights=10 * weights)
    assert again == pytest.approx(expected)


def test_background_can_be_left_out():
    expected = [1 - np.mean(FIRST[1:]), 1 - SECOND[1]]
    found = per_example(include_background=False)
    assert found == pytest.approx(expected)


def test_batch_has_the_sums_of_all_examples():
    found = per_example(batch=True)
    assert found == pytest.approx([1 - np.mean(BOTH)] * 2)


def test_voxel_weights_multiply_all_three_sums():
    weights = np.array([[1.0, 0.0, 2.0, 1.0], [1.0] * 4])
    expected = np.mean(
        [
            (2 * 0.8 + 1) / (1.8 + 1 + 1),
            (2 * 1.0 + 1) / (1.35 + 2 + 1),
            (2 * 0.75 + 1) / (0.85 + 1 + 1),
        ]
    )
    assert per_example(weights=weights)[0] == pytest.approx(1 - expected)


def test_merged_class_is_absent_and_background_has_its_probability():
    labels = LABELS[:1] + np.array([256, 256, 256, 256])
    labels[0, 3] = 256
    # Background: voxels 0, 1, 3; p 0.9, 0.6, 0.5, 0.75.
    dice_0 = (2 * (0.9 + 0.6 + 0.75) + 1) / (2.75 + 3 + 1)
    expected = 1 - (dice_0 + FIRST[1]) / 2
    found = per_example(labels, P[:1], merged_classes=[[2]])
    assert found == pytest.approx([expected])


def test_perfect_prediction_costs_nothing():
    assert per_example(p=np.eye(3)[LABELS]).tolist() == [0, 0]


def test_no_class_left_costs_nothing(gradient):
    labels = np.zeros((1, 4), int)
    options = {"include_background": False}
    assert per_example(labels, P[:1], **options).tolist() == [0]
    slope = gradient(lambda p: Dice(**options)(labels, p), P[:1])
    assert (slope == 0).all()


def test_soft_labels_are_compared_as_they_are():
    soft = np.array([[[0.5, 0.5], [1.0, 0.0]]])
    p = np.array([[[0.5, 0.5], [0.5, 0.5]]])
    expected = 1 - ((2 * 0.75 + 1) / 3.5 + (2 * 0.25 + 1) / 2.5) / 2
    assert per_example(soft, p) == pytest.approx([expected])


def test_keras_has_the_same_without_absent_classes(random_batch):
    labels, _, p = random_batch((2, 6, 5))
    one_hot = np.eye(4)[labels].astype("float32")
    theirs = np.mean(
        [
            float(keras.losses.Dice()(one_hot[..., k], p[..., k]))
            for k in range(4)
        ]
    )
    ours = float(Dice(epsilon=1e-7, batch=True)(labels, p))
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    "options", [{"epsilon": 0.0}, {"epsilon": -1}, {"absent": "no"}]
)
def test_arguments_without_sense_are_refused(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
        Dice(**options)


def test_config_keeps_what_is_its_own():
    options = {
        "class_weights": (1.0, 2.0),
        "include_background": False,
        "epsilon": 0.5,
        "absent": "smooth",
        "batch": True,
    }
    config = Dice(**options).get_config()
    assert {name: config[name] for name in options} == options
