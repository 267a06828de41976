"""Losses by name."""

import keras
import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.losses import AdaptedLoss
from keras_isample.losses import Dice
from keras_isample.losses import make_loss
from keras_isample.registries import LOSSES
from keras_isample.registries import register_loss


@pytest.fixture
def registered():
    register_loss("tversky", keras.losses.Tversky)
    register_loss("own-dice", Dice, class_weights="class_weights")
    yield
    for name in ("tversky", "own-dice"):
        LOSSES.remove(name)


@pytest.mark.usefixtures("registered")
def test_a_loss_from_elsewhere_is_made_by_name():
    loss = make_loss("tversky", merged_classes=((1,),))
    assert isinstance(loss, AdaptedLoss)
    assert isinstance(loss.loss, keras.losses.Tversky)
    assert loss.merged_classes == ((1,),)


@pytest.mark.usefixtures("registered")
def test_a_loss_of_ours_gets_weights_and_merged_classes():
    loss = make_loss("own-dice", (1.0, 2.0), ((1,),))
    assert type(loss) is Dice
    assert loss.class_weights == (1.0, 2.0)
    assert loss.merged_classes == ((1,),)


def test_a_loss_that_cannot_know_merged_classes_is_refused():
    register_loss("fixed", lambda: Dice(epsilon=0.5))
    try:
        assert make_loss("fixed").epsilon == 0.5
        with pytest.raises(ValueError, match="fixed does not know"):
            make_loss("fixed", merged_classes=((1,),))
    finally:
        LOSSES.remove("fixed")


@pytest.mark.usefixtures("registered")
def test_a_configuration_takes_it():
    settings = {"loss": "tversky"}
    assert Config.from_settings("scans", settings).loss.loss == "tversky"
    schedule = {"loss_schedule": "ce:0, tversky:5", "epochs": 9}
    stages = Config.from_settings("scans", schedule).loss.stages(9)
    assert stages == [("ce", 0), ("tversky", 5)]
    weighted = {"loss": "tversky", "class_weights": "median-frequency"}
    with pytest.raises(InputError, match="tversky has no weights"):
        Config.from_settings("scans", weighted)


def test_an_unknown_one_is_refused():
    with pytest.raises(InputError, match="'tversky' is not known"):
        Config.from_settings("scans", {"loss": "tversky"})


def test_weights_that_it_does_not_take_cannot_be_needed():
    with pytest.raises(ValueError, match="`class_weights`"):
        register_loss("wrong", Dice, needs_weights=True)
    assert "wrong" not in LOSSES
