"""Sums of losses are the sums of their values."""

import keras
import pytest

from keras_isample.losses import BoundaryCrossEntropy
from keras_isample.losses import CEDice
from keras_isample.losses import CrossEntropy
from keras_isample.losses import Dice
from keras_isample.losses import DiceFocal
from keras_isample.losses import Focal
from keras_isample.losses import ScheduledLoss
from keras_isample.losses import WeightedSum

ONE = [0.5, 1.0, 2.0, 1.0]
TWO = [0.1, 3.0, 1.0, 1.0]


@pytest.fixture
def batch(random_batch):
    labels, _, p = random_batch((2, 4, 5))
    labels[0, 0] = 255
    labels[1, :2] = 0
    return labels, p


def test_ce_dice_is_the_weighted_sum(batch):
    loss = CEDice(
        ce_class_weights=ONE,
        dice_class_weights=TWO,
        ce_weight=0.5,
        dice_weight=2.0,
        include_background=False,
        epsilon=0.1,
        absent="smooth",
        batch=True,
    )
    dice = Dice(
        class_weights=TWO,
        include_background=False,
        epsilon=0.1,
        absent="smooth",
        batch=True,
    )
    ce = CrossEntropy(class_weights=ONE, batch=True)
    expected = 0.5 * float(ce(*batch)) + 2 * float(dice(*batch))
    assert float(loss(*batch)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["gradient", "ronneberger"])
def test_ce_dice_takes_a_boundary(batch, kind):
    loss = CEDice(ce_class_weights=ONE, boundary=kind)
    ce = BoundaryCrossEntropy(kind=kind, class_weights=ONE)
    expected = float(ce(*batch)) + float(Dice()(*batch))
    assert float(loss(*batch)) == pytest.approx(expected, rel=1e-6)
    plain = CEDice(ce_class_weights=ONE)
    assert float(plain(*batch)) != pytest.approx(expected, rel=1e-3)


def test_unknown_boundary_is_refused():
    with pytest.raises(ValueError, match="`boundary` must .*'sobel'"):
        CEDice(boundary="sobel")


def test_dice_focal_is_the_weighted_sum(batch):
    loss = DiceFocal(
        1.5,
        focal_class_weights=ONE,
        dice_class_weights=TWO,
        focal_weight=3.0,
        dice_weight=0.25,
    )
    focal = Focal(1.5, class_weights=ONE)
    dice = Dice(class_weights=TWO)
    expected = 3 * float(focal(*batch)) + 0.25 * float(dice(*batch))
    assert float(loss(*batch)) == pytest.approx(expected, rel=1e-6)


def test_parts_are_alike_by_default(batch):
    expected = float(CrossEntropy()(*batch)) + float(Dice()(*batch))
    assert float(CEDice()(*batch)) == pytest.approx(expected, rel=1e-6)
    expected = float(Focal()(*batch)) + float(Dice()(*batch))
    assert float(DiceFocal()(*batch)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "argument"),
    [
        (CEDice, "ce_weight"),
        (CEDice, "dice_weight"),
        (DiceFocal, "focal_weight"),
    ],
)
def test_negative_weight_of_a_part_is_refused(loss, argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        loss(**{argument: -1.0})


def test_config_keeps_all_arguments(batch):
    options = {
        "dice_class_weights": (1.0, 2.0),
        "dice_weight": 0.5,
        "include_background": False,
        "epsilon": 0.5,
        "absent": "smooth",
        "batch": True,
    }
    ce = {"ce_class_weights": (3.0, 4.0), "ce_weight": 2.0}
    focal = {
        "focal_class_weights": (3.0, 4.0),
        "focal_weight": 2.0,
        "gamma": 1.0,
    }
    for loss, own in ((CEDice, ce), (DiceFocal, focal)):
        config = loss(**options, **own).get_config()
        assert {name: config[name] for name in options} == options
        assert {name: config[name] for name in own} == own


def test_any_losses_are_summed(batch):
    tversky = keras.losses.Tversky(alpha=0.3, beta=0.7)
    loss = WeightedSum([CrossEntropy(), tversky], [0.5, 2.0])
    ce, other = (float(part(*batch)) for part in loss.losses)
    assert float(loss(*batch)) == pytest.approx(0.5 * ce + 2 * other, rel=1e-6)


def test_weights_are_1_by_default_and_fit_the_losses():
    assert WeightedSum([Dice(), Focal()]).weights == [1.0, 1.0]
    for weights in ([1.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="`weights`"):
            WeightedSum([Dice(), Focal()], weights)
    with pytest.raises(ValueError, match="`losses`"):
        WeightedSum([])


def test_a_scheduled_loss_is_no_part_of_a_sum():
    scheduled = ScheduledLoss([Dice(), Focal()], [0, 1])
    with pytest.raises(ValueError, match="scheduled"):
        WeightedSum([CrossEntropy(), scheduled])


def test_a_sum_round_trips():
    loss = WeightedSum([Dice(epsilon=0.5), keras.losses.Dice()], [1.0, 3.0])
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert again.losses[0].epsilon == 0.5
    assert isinstance(again.losses[1].loss, keras.losses.Dice)


def test_losses_from_elsewhere_see_the_same_as_ours():
    theirs = keras.losses.Dice()
    with pytest.raises(ValueError, match="of probabilities"):
        WeightedSum([CrossEntropy(from_logits=True), theirs])
    loss = WeightedSum([CrossEntropy(ignore_label=1), theirs])
    assert loss.losses[1].ignore_label == 1
    with pytest.raises(ValueError, match="same ignore_label"):
        WeightedSum([CrossEntropy(ignore_label=1), Dice(), theirs])
