"""Losses from elsewhere, on labels with ignored voxels and merged classes."""

import keras
import numpy as np
import pytest

from keras_isample.losses import AdaptedLoss
from keras_isample.losses import CrossEntropy
from keras_isample.losses.adapted import adapted


@pytest.fixture
def batch(random_batch):
    labels, _, p = random_batch((2, 4, 5))
    return labels, p


def test_cross_entropy_of_keras_is_ours(batch):
    labels, p = batch
    expected = float(CrossEntropy()(labels, p))
    for loss in (
        keras.losses.CategoricalCrossentropy(),
        keras.losses.SparseCategoricalCrossentropy(),
        "categorical_crossentropy",
    ):
        found = float(AdaptedLoss(loss)(labels, p))
        assert found == pytest.approx(expected, rel=1e-5)


def test_ignored_voxels_and_their_weights_count_nothing(batch):
    labels, p = batch
    labels = labels.copy()
    labels[0, 1:3], labels[1, 0] = 255, 255
    weight = np.random.default_rng(0).random(labels.shape)
    loss = AdaptedLoss(keras.losses.CategoricalCrossentropy())
    ours = CrossEntropy()
    assert float(loss(labels, p)) == pytest.approx(float(ours(labels, p)))
    found, expected = (float(x(labels, p, weight)) for x in (loss, ours))
    assert found == pytest.approx(expected, rel=1e-5)


def test_merged_classes_are_part_of_the_background(batch):
    labels, p = batch
    coded = np.where(labels == 1, 0, labels) + 256
    folded = p.copy()
    folded[..., 0] += folded[..., 1]
    folded[..., 1] = 0
    plain = AdaptedLoss(keras.losses.CategoricalCrossentropy())
    expected = float(plain(coded - 256, folded))
    loss = AdaptedLoss(
        keras.losses.CategoricalCrossentropy(), merged_classes=((1,),)
    )
    assert float(loss(coded, p)) == pytest.approx(expected, rel=1e-6)


def test_a_loss_of_whole_examples_sees_ignored_voxels_as_right():
    dice = keras.losses.Dice()
    labels = np.array([[0, 1, 255]])
    p = np.array([[[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]], "float32")
    shown = p.copy()
    shown[0, 2] = 1, 0
    true = np.eye(2, dtype="float32")[[[0, 1, 0]]]
    expected = float(dice(true, shown))
    assert float(AdaptedLoss(dice)(labels, p)) == pytest.approx(expected)


@keras.saving.register_keras_serializable(package="elsewhere")
class Own(keras.losses.Loss):
    """A value of each row of voxels."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(2, 3))


def test_values_of_parts_of_examples_are_averaged(batch):
    labels, p = batch
    true = np.eye(p.shape[-1], dtype="float32")[labels]
    expected = float(np.mean((true - p) ** 2))
    assert float(AdaptedLoss(Own())(labels, p)) == pytest.approx(expected)


def test_it_round_trips():
    loss = AdaptedLoss(Own(), merged_classes=((1,),), ignore_label=7)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert isinstance(again.loss, Own) and again.one_hot


def test_losses_of_logits_are_refused():
    for loss in (
        keras.losses.CategoricalCrossentropy(from_logits=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ):
        with pytest.raises(ValueError, match="of probabilities"):
            AdaptedLoss(loss)


def test_ours_are_left_as_they_are():
    loss = CrossEntropy()
    assert adapted(loss) is loss
