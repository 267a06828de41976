"""Weights of the losses at each epoch, by hand."""

import keras
import numpy as np
import pytest

from keras_isample.losses import CEDice
from keras_isample.losses import CrossEntropy
from keras_isample.losses import Dice
from keras_isample.losses import ScheduledLoss


def three(**options):
    losses = [CrossEntropy(), CEDice(), Dice()]
    return ScheduledLoss(losses, [0, 40, 80], **options)


def test_each_loss_is_the_only_one_until_the_next_starts():
    expected = {0: 0, 39: 0, 40: 1, 79: 1, 80: 2, 1000: 2}
    for epoch, which in expected.items():
        assert three().weights_at(epoch).tolist() == np.eye(3)[which].tolist()


def test_weight_moves_evenly_between_starts():
    weights_at = three(transition="linear").weights_at
    assert weights_at(0).tolist() == [1, 0, 0]
    assert weights_at(10) == pytest.approx([0.75, 0.25, 0])
    assert weights_at(40).tolist() == [0, 1, 0]
    assert weights_at(50) == pytest.approx([0, 0.75, 0.25])
    assert weights_at(79) == pytest.approx([0, 1 / 40, 39 / 40])
    assert weights_at(80).tolist() == weights_at(500).tolist() == [0, 0, 1]


def test_single_loss_stays():
    for transition in ("step", "linear"):
        loss = ScheduledLoss([Dice()], [0], transition=transition)
        assert loss.weights_at(0).tolist() == [1]
        assert loss.weights_at(9).tolist() == [1]


def test_value_is_the_sum_of_the_losses_by_weight(random_batch):
    labels, _, p = random_batch((2, 4, 4))
    loss = three()
    each = [float(part(labels, p)) for part in loss.losses]
    assert float(loss(labels, p)) == pytest.approx(each[0])
    loss.weights.assign([0.25, 0.0, 0.75])
    expected = 0.25 * each[0] + 0.75 * each[2]
    assert float(loss(labels, p)) == pytest.approx(expected)


def test_weights_of_examples_multiply_their_values(random_batch):
    labels, _, p = random_batch((2, 4, 4))
    expected = float(CrossEntropy(reduction="sum")(labels, p, [2.0, 0.5]))
    found = float(three(reduction="sum")(labels, p, [2.0, 0.5]))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "starts", [[0], [0, 0], [1, 2], [0, -1], [5, 0], [0, 1.5], []]
)
def test_starts_without_sense_are_refused(starts):
    with pytest.raises(ValueError, match="`starts`"):
        ScheduledLoss([CrossEntropy(), Dice()], starts)


def test_starts_of_numpy_are_saved_as_integers():
    loss = ScheduledLoss([CrossEntropy(), Dice()], np.array([0, 3]))
    assert [type(start) for start in loss.get_config()["starts"]] == [int, int]


def test_other_arguments_without_sense_are_refused():
    with pytest.raises(ValueError, match="`transition`"):
        three(transition="cubic")
    with pytest.raises(ValueError, match="`losses`"):
        ScheduledLoss([CrossEntropy(), three()], [0, 1])
    with pytest.raises(ValueError, match="`starts`"):
        ScheduledLoss([], [])


def test_config_round_trips_with_the_losses():
    loss = ScheduledLoss(
        [CrossEntropy(class_weights=[1, 2], ignore_label=7), Dice(epsilon=0.5)],
        [0, 3],
        transition="linear",
        reduction="sum",
        name="plan",
    )
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert again.losses[0].class_weights == (1.0, 2.0)
    assert again.losses[0].ignore_label == 7
    assert again.losses[1].epsilon == 0.5
    assert again.starts == [0, 3] and again.transition == "linear"
    assert again.reduction == "sum" and again.name == "plan"


def test_merged_classes_are_those_of_the_losses():
    losses = [
        CrossEntropy(merged_classes=((1,),)),
        Dice(merged_classes=((1,),)),
    ]
    assert ScheduledLoss(losses, [0, 1]).merged_classes == ((1,),)
    others = [losses[0], keras.losses.Dice()]
    assert ScheduledLoss(others, [0, 1]).losses[1].merged_classes == ((1,),)
    with pytest.raises(ValueError, match="same merged_classes"):
        ScheduledLoss([losses[0], Dice()], [0, 1])
