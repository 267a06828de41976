"""Ranges, types and units of single settings."""

import pytest

from keras_isample.config import Config
from keras_isample.config import parse_bytes


def test_whole_numbers_may_stand_for_fractions():
    config = Config.from_settings("scans", {"epsilon": 1})
    assert config.sampling.epsilon == 1.0
    assert isinstance(config.sampling.epsilon, float)


@pytest.mark.parametrize(
    "name, value",
    [
        ("spacing", "1,1"),
        ("spacing", "1,1,0"),
        ("spacing", "1,1,-1"),
        ("spacing", "1,1,nan"),
        ("spacing", "1,1,inf"),
        ("spacing", "one,1,1"),
        ("spacing", "Native"),
        ("intensity", "CT"),
        ("partial", "include"),
        ("split", "0.7,0.3"),
        ("split", "-1,1,1"),
        ("split", "0,0,0"),
        ("split", "nan,1,1"),
        ("split", "a,b,c"),
        ("fold", "1"),
        ("fold", "1,5"),
        ("fold", "1/5/2"),
        ("fold", "a/b"),
        ("seed", -1),
        ("seed", 2**31),
        ("seed", 1.5),
        ("seed", True),
        ("split_seed", "-1"),
        ("split_seed", "one"),
        ("sampling", "random"),
        ("epsilon", -0.1),
        ("epsilon", 1.1),
        ("epsilon", float("nan")),
        ("epsilon", "0.1"),
        ("error_maps", "never"),
        ("error_map_cases", "0"),
        ("error_map_cases", "some"),
        ("error_map_cases", "1.5"),
        ("sample_from", "none"),
        ("redraw", "class"),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("cases_per_batch", "-1"),
        ("augment", 1),
        ("spacing_jitter", -0.1),
        ("spacing_jitter", 1.0),
        ("network", "vnet"),
        ("axis", "sideways"),
        ("axis", "axial"),
        ("patch_size", "whole"),
        ("patch_size", "full"),
        ("augmentation", "strong"),
        ("width", 0),
        ("width", float("inf")),
        ("patch_size", 0),
        ("patch_size", -4),
        ("patch_size", 30),
        ("loss", "mse"),
        ("loss_schedule", "ce"),
        ("loss_schedule", "ce:5"),
        ("loss_schedule", "ce:0, dice:0"),
        ("loss_schedule", "ce:0, mse:3"),
        ("loss_schedule", "ce:0, dice:x"),
        ("loss_schedule", "ce->dice->"),
        ("loss_transition", "linear"),
        ("class_weights", "some"),
        ("class_weights", "median-frequency"),
        ("early_stopping", -1),
        ("normalization_batches", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("learning_rate", float("nan")),
        ("lr_schedule", "cosine:3"),
        ("lr_schedule", "poly:0"),
        ("lr_schedule", "poly"),
        ("lr_schedule", "replay:"),
        ("learning_rate", "automatic"),
        ("population", "0.05,-1"),
        ("population", ""),
        ("factors", "2;1"),
        ("period", 0),
        ("executor", "slurm"),
        ("max_restarts", -1),
        ("lr_schedule", "step"),
        ("lr_schedule", "step:0:0.5"),
        ("lr_schedule", "step:25:0"),
        ("lr_schedule", "step:25:0.5:1"),
        ("lr_schedule", "step:x:0.5"),
        ("lr_schedule", "constant:1"),
        ("warmup_epochs", -1),
        ("optimizer", "lion"),
        ("weight_decay", -1e-4),
        ("ema_momentum", -0.1),
        ("ema_momentum", 1.0),
        ("ema_momentum", float("nan")),
        ("epochs", 0),
        ("steps_per_epoch", 0),
        ("validate_every", 0),
        ("validate_every", "full"),
        ("validate_every", 1.5),
        ("validation_share", 0.0),
        ("validation_share", 1.0),
        ("validation_share", float("nan")),
        ("validation_share", "auto"),
        ("validate_cases", "0"),
        ("mixed_precision", "float8"),
        ("tile_memory", "lots"),
        ("tile_memory", "-1GB"),
        ("tile_memory", "5"),
        ("tile_memory", "nanGB"),
        ("tile_memory", "infGB"),
        ("save_error_maps", "yes"),
        ("labels", 5),
    ],
)
def test_value_out_of_range_is_refused_by_its_option(name, value, refusal):
    assert refusal(**{name: value}).startswith(f"--{name.replace('_', '-')}: ")


def test_unknown_setting_is_refused(refusal):
    assert "unknown setting 'epoch'" in refusal(epoch=3)


@pytest.mark.parametrize(
    "text, size",
    [
        ("2GB", 2 * 10**9),
        ("500mb", 500 * 10**6),
        ("1.5 GB", 1_500_000_000),
        ("5000000", 5_000_000),
        ("2000KB", 2_000_000),
        ("3000000B", 3_000_000),
    ],
)
def test_sizes(text, size):
    assert parse_bytes("--tile-memory", text) == size


@pytest.mark.parametrize(
    ("settings", "every"),
    [
        ({}, None),
        ({"validation_share": 0.5}, None),
        ({"validation_share": "none"}, 1),
        ({"early_stopping": 3}, 1),
        ({"validate_every": 4}, 4),
        ({"validate_every": 4, "early_stopping": 3}, 4),
        ({"validate_every": 4, "validation_share": "none"}, 4),
    ],
)
def test_what_overrules_the_share_of_validation(settings, every):
    training = Config.from_settings("data", settings).training
    assert training.fixed_validate_every == every
