"""Names of the command line."""

import pytest

from keras_isample.losses import BoundaryCrossEntropy
from keras_isample.losses import CEDice
from keras_isample.losses import CrossEntropy
from keras_isample.losses import Dice
from keras_isample.losses import DiceFocal
from keras_isample.losses import Focal
from keras_isample.losses import make_loss
from keras_isample.registries import LOSSES

W = (0.5, 2.0, 1.0)
EXPECTED = {
    "ce": CrossEntropy(),
    "wce": CrossEntropy(class_weights=W),
    "dice": Dice(),
    "wdice": Dice(class_weights=W),
    "focal": Focal(class_weights=W),
    "dice-focal": DiceFocal(focal_class_weights=W),
    "ce-dice": CEDice(),
    "wce-dice": CEDice(ce_class_weights=W),
    "wce-wdice": CEDice(ce_class_weights=W, dice_class_weights=W),
    "boundary-ce": BoundaryCrossEntropy(class_weights=W),
    "boundary-ce-dice": CEDice(ce_class_weights=W, boundary="gradient"),
}


def test_every_name_is_tested():
    assert set(LOSSES) == set(EXPECTED)


@pytest.mark.parametrize("name", LOSSES)
def test_name_and_class_weights_make_the_loss(name):
    loss, expected = make_loss(name, W), EXPECTED[name]
    assert type(loss) is type(expected)
    assert loss.get_config() == expected.get_config()


@pytest.mark.parametrize("name", ["ce", "dice", "focal", "dice-focal"])
def test_class_weights_can_be_left_out(name):
    config = make_loss(name).get_config()
    assert config == type(make_loss(name))().get_config()


@pytest.mark.parametrize("name", ["wce", "wdice", "wce-dice", "wce-wdice"])
def test_names_with_w_need_class_weights(name):
    with pytest.raises(ValueError, match=f"{name} needs class weights"):
        make_loss(name)


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Choose from ce, wce, dice"):
        make_loss("mse")


@pytest.mark.parametrize("name", LOSSES)
def test_sets_and_options_are_passed_on(name):
    loss = make_loss(name, W, [[1], [1, 2]], from_logits=True)
    assert loss.merged_classes == ((1,), (1, 2)) and loss.from_logits
