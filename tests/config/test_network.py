"""Networks, their patches and spacings."""

import pytest

from keras_isample.config import Config


@pytest.mark.parametrize(
    "settings, axis, side",
    [
        ({}, None, 8),
        ({"patch_size": 16}, None, 16),
        ({"network": "unet"}, None, 64),
        ({"network": "unet"}, 2, "full"),
        ({"network": "unet", "patch_size": 48}, 2, 48),
    ],
)
def test_side_of_the_patch(settings, axis, side):
    config = Config.from_settings("scans", settings)
    assert config.network.side(axis) == side


def test_slices_keep_their_spacing_unless_told():
    def spacing(**settings):
        return Config.from_settings("scans", settings).data.spacing

    assert spacing() == (1.0, 1.0, 1.5)
    # Whether it sees slices is known once the images are.
    assert spacing(network="unet") == "auto"
    assert spacing(network="unet", axis="axial") == "native"
    assert spacing(network="deeplab-v3") == "native"
    assert spacing(network="deeplab-v3", spacing="auto") == "native"
    assert spacing(network="deeplab-v3", spacing=(1, 1, 2)) == (1, 1, 2)
