"""Names of a run that this process does not know."""

import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.registries import ERROR_MAPS
from keras_isample.registries import EXECUTORS
from keras_isample.registries import LOSSES
from keras_isample.registries import NETWORKS
from keras_isample.registries.unknown import accept_unknown

SETTINGS = {
    "network": "theirs",
    "loss_schedule": "ce:0, squared:3",
    "error_maps": "mine",
    "error_map_cases": 2,
    "executor": "slurm",
}


@pytest.fixture
def accepted():
    accept_unknown(SETTINGS)
    yield
    NETWORKS.remove("theirs")
    LOSSES.remove("squared")
    ERROR_MAPS.remove("mine")
    EXECUTORS.remove("slurm")


@pytest.mark.usefixtures("accepted")
def test_settings_can_be_read():
    config = Config.from_settings("scans", SETTINGS)
    assert config.network.network == "theirs"


@pytest.mark.usefixtures("accepted")
def test_what_is_missing_is_said_when_it_is_needed():
    with pytest.raises(InputError, match="theirs: is the name of a network"):
        NETWORKS["theirs"].build(2, (None, None, None, 1))
    with pytest.raises(InputError, match="squared: is the name of a loss"):
        LOSSES["squared"].make()


def test_known_names_are_left_alone():
    before = dict.fromkeys(NETWORKS)
    accept_unknown({"network": "unet", "loss": "ce", "error_maps": "online"})
    assert dict.fromkeys(NETWORKS) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"network": ["a"], "loss": ["a"], "augmentation": [1]},
        {"loss_schedule": [0, 1]},
        {"loss_schedule": 5},
        {"loss_schedule": [[]]},
    ],
)
def test_damaged_settings_are_left_to_their_checks(settings):
    before = dict.fromkeys(LOSSES)
    accept_unknown(settings)
    assert dict.fromkeys(LOSSES) == before
