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

    assert spacing() == "1,1,1.5"
    # Whether it sees slices is known once the images are.
    assert spacing(network="unet") == "auto"
    assert spacing(network="unet", axis="axial") == "native"
    assert spacing(network="deeplab-v3") == "native"
    assert spacing(network="deeplab-v3", spacing="auto") == "native"
    assert spacing(network="deeplab-v3", spacing="1,1,1.5") == "1,1,1.5"


def test_augmentation_of_slices_needs_slices(refusal):
    assert refusal(augmentation="cardiac").startswith("--augmentation")


def test_patch_size_that_would_do_is_told(refusal):
    assert refusal(network="unet", patch_size=30).endswith("Use 32.")
    assert refusal(network="unet3plus", patch_size=8).endswith("Use 16.")
    assert refusal(patch_size=30).endswith("Use 32.")
    assert refusal(patch_size=1).endswith("Use 4.")
