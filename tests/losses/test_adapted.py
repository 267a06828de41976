"""Losses from elsewhere, on labels with ignored voxels and merged classes."""

import functools

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


@keras.saving.register_keras_serializable(package="elsewhere")
class Unclipped(keras.losses.Loss):
    """The logarithm of whatever probability it is shown."""

    def __init__(self, axes=(), **options):
        super().__init__(**options)
        self.axes = axes

    def call(self, y_true, y_pred):
        errors = -keras.ops.sum(y_true * keras.ops.log(y_pred), axis=-1)
        return keras.ops.mean(errors, axis=self.axes) if self.axes else errors


@pytest.mark.parametrize("axes", [(), (1, 2)], ids=["voxels", "examples"])
def test_logarithm_of_what_is_not_shown_is_finite(batch, axes, gradient):
    labels, p = batch
    labels = np.where(labels == 1, 0, labels) + 256
    labels[0, 0] = 255
    loss = AdaptedLoss(Unclipped(axes), merged_classes=((1,),))
    slope = gradient(lambda x: loss(labels, x), p)
    assert np.isfinite(float(loss(labels, p))) and np.isfinite(slope).all()
    assert (slope[0, 0] == 0).all() and (slope[1] != 0).any()


class Unreduced(keras.losses.Loss):
    """A value of each voxel and class."""

    def call(self, y_true, y_pred):
        return keras.ops.square(y_true - y_pred)


def test_values_of_classes_are_averaged_at_each_voxel():
    labels = np.array([[0, 1, 255]])
    p = np.array([[[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]], "float32")
    expected = (0.5**2 + 0.25**2) / 2
    found = float(AdaptedLoss(Unreduced())(labels, p))
    assert found == pytest.approx(expected)


def test_weights_of_voxels_are_refused_by_a_loss_of_whole_examples(batch):
    loss = AdaptedLoss(keras.losses.Dice())
    with pytest.raises(ValueError, match="`sample_weight`"):
        loss(*batch, np.ones(batch[0].shape))


def test_nothing_is_no_loss():
    with pytest.raises(ValueError, match="`loss`"):
        AdaptedLoss(None)


def test_a_function_without_a_name_is_taken(batch):
    function = functools.partial(
        keras.losses.binary_focal_crossentropy, gamma=1
    )
    assert float(AdaptedLoss(function)(*batch)) > 0


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
