"""Rules between settings."""

from dataclasses import replace

import pytest

from keras_isample.config import Config
from keras_isample.config import SamplingConfig
from keras_isample.config.conflicts import refuse_conflicts
from keras_isample.config.conflicts import without_effect
from keras_isample.errors import InputError

AUTO = {"learning_rate": "auto"}
SLICES = {"network": "unet", "axis": "axial"}


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"patch_size": "full"}, "`patch_size`: is full, but dual-path sees"),
        ({"patch_size": 30}, "`patch_size`: must be a multiple of 4 for dual"),
        ({"axis": "axial"}, "`axis`: is axial, but dual-path sees volumes"),
        ({"loss": "wce"}, "`class_weights`: is none, but wce weighs"),
        (
            {"loss": "dice", "class_weights": "effective-number"},
            "`class_weights`: is effective-number, but dice has no weights",
        ),
        ({"loss_transition": "linear"}, "`loss_transition`: is linear"),
        (
            {"loss_schedule": "ce->dice", "epochs": 1},
            "`loss_schedule`: has more losses than the 1 epochs",
        ),
        (
            {"loss_schedule": "ce:0, dice:40", "epochs": 40},
            "`loss_schedule`: has a loss from epoch 40 on, and there are 40",
        ),
        (
            {**AUTO, "lr_schedule": "step:4:0.5"},
            "`lr_schedule`: is step, but the rate is found by AutoLR",
        ),
        (
            {**AUTO, "validate_every": 3, "period": 2},
            "`validate_every`: is longer than a period of 2 epochs",
        ),
        ({**AUTO, "error_maps": "concurrent"}, "`error_maps`: concurrent is "),
        ({**AUTO, "save_error_maps": True}, "`save_error_maps`: is not supp"),
        (
            {**AUTO, "ray_address": "auto", "executor": "serial"},
            "`ray_address`: means nothing with `executor='serial'`",
        ),
        ({**AUTO, "refit": True}, "`refit`: is not supported with"),
        ({**AUTO, "early_stopping": 2}, "`early_stopping`: is not supported"),
        (
            {"refit": True, "early_stopping": 3},
            "`early_stopping`: needs validation cases",
        ),
        (
            {"error_map_share": 0.6, "validation_share": 0.4},
            "`error_map_share`: is 0.6 and `validation_share` 0.4",
        ),
        ({"augmentation": "cardiac"}, "`augmentation`: is cardiac"),
        (
            {**SLICES, "sampling": "uniform", "cases_per_batch": 1},
            "`cases_per_batch`: is 1, but whole slices come in turn",
        ),
        (
            {"error_maps": "online", "error_map_cases": 3},
            "`error_map_cases`: chooses scans of an update",
        ),
        (
            {"error_maps": "concurrent", "error_map_cases": 3},
            "`error_map_cases`: chooses scans of an update",
        ),
    ],
)
def test_contradictions_name_the_setting(settings, said, refusal):
    assert refusal(**settings).startswith(said)


@pytest.mark.parametrize(
    "settings",
    [
        {"network": "unet", "patch_size": "full"},
        {"loss": "focal", "class_weights": "effective-number"},
        {"loss_schedule": "ce:0, dice:39", "epochs": 40},
        {**AUTO, "validate_every": 2, "period": 2},
        {"error_map_share": 0.5, "validation_share": 0.4},
        {**SLICES, "augmentation": "cardiac"},
        {
            **SLICES,
            "sampling": "uniform",
            "patch_size": 8,
            "cases_per_batch": 1,
        },
        {"error_maps": "online"},
    ],
)
def test_what_does_not_contradict_is_accepted(settings):
    assert Config.from_settings("scans", settings)


def test_patch_size_that_would_do_is_told(refusal):
    assert refusal(network="unet", patch_size=30).endswith("Use 32.")
    assert refusal(network="unet3plus", patch_size=8).endswith("Use 16.")
    assert refusal(patch_size=30).endswith("Use 32.")
    assert refusal(patch_size=1).endswith("Use 4.")


def test_loss_that_weighs_classes_is_told(refusal):
    text = refusal(loss="ce-dice", class_weights="effective-number")
    assert text.endswith("Use `loss='wce-wdice'`, or remove it.")


def test_images_may_decide_whether_slices_are_seen():
    # A U-Net without an axis sees what the images are.
    sampling = SamplingConfig(augmentation="cardiac")
    config = replace(
        Config.from_settings("scans", {"network": "unet"}), sampling=sampling
    )
    refuse_conflicts(config, sees_slices=True)
    with pytest.raises(InputError, match="^`augmentation`: is cardiac"):
        refuse_conflicts(config, sees_slices=False)


def test_the_first_setting_without_effect_is_found():
    config = Config.from_settings("scans", {"sampling": "uniform"})
    found = without_effect(config, ["batch_size", "redraw", "period"])
    assert found == ("redraw", "with `sampling='uniform'`")
    found = without_effect(config, ["batch_size", "period"])
    assert found == ("period", "without `learning_rate='auto'`")


def test_settings_with_an_effect_are_not_found():
    config = Config.from_settings("scans", {})
    assert without_effect(config, ["epsilon", "loss", "epochs"]) is None
