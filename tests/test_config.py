"""Settings: files, checks, presets; one field for one option."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

import keras_isample
from keras_isample.cli import fit
from keras_isample.config import GROUPS
from keras_isample.config import PRESETS
from keras_isample.config import Config
from keras_isample.config import parse_bytes
from keras_isample.config import read_settings
from keras_isample.errors import InputError

FIELDS = {
    entry.name: entry
    for group in GROUPS.values()
    for entry in dataclasses.fields(group)
}
# Values that differ from the defaults, one for each field.
OTHERS = {
    "labels": "kidney,liver",
    "modality": "MRT1_wb",
    "spacing": "2,2,3.5",
    "intensity": "zscore",
    "partial": "background",
    "split": "16,4,0",
    "fold": "2/5",
    "seed": 7,
    "split_seed": "3",
    "cache": "/tmp/some where",
    "sampling": "uniform",
    "epsilon": 0.0,
    "error_maps": "epoch",
    "error_map_cases": "3",
    "sample_from": "all",
    "batch_size": 24,
    "cases_per_batch": "2",
    "augment": False,
    "augmentation": "cardiac",
    "spacing_jitter": 0.05,
    "network": "unet",
    "width": 0.5,
    "patch_size": 16,
    "axis": "coronal",
    "init_from": "runs/before",
    "loss": "focal",
    "loss_schedule": "wce:0, wdice:2",
    "loss_transition": "linear",
    "class_weights": "median-frequency",
    "learning_rate": 1e-05,
    "lr_schedule": "step:25:0.5",
    "warmup_epochs": 0,
    "optimizer": "adamw",
    "weight_decay": 0.0,
    "population": "0.1,0.02",
    "factors": "3,1",
    "period": 7,
    "selection": "truncation",
    "spawn_from": "best",
    "executor": "process",
    "gpus_per_member": 2,
    "threads_per_member": 3,
    "ray_address": "auto",
    "max_restarts": 0,
    "devices": "cpu:0,cpu:1",
    "epochs": 3,
    "steps_per_epoch": 5,
    "validate_every": 2,
    "validate_cases": "5",
    "early_stopping": 4,
    "normalization_batches": 3,
    "refit": False,
    "mixed_precision": "bfloat16",
    "tile_memory": "500MB",
    "save_error_maps": True,
}


def refusal(**settings):
    with pytest.raises(InputError) as error:
        Config.from_settings("scans", settings)
    text = str(error.value)
    assert "\n" not in text
    return text


def read_refusal(path):
    with pytest.raises(InputError) as error:
        read_settings(path)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text


def write(tmp_path, text, name="settings.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_field_has_another_value_here():
    assert set(OTHERS) == set(FIELDS)


@pytest.mark.parametrize("settings", [{}, OTHERS], ids=["defaults", "others"])
def test_toml_reads_back(tmp_path, settings):
    config = Config.from_settings("/data/scans", settings)
    path = write(tmp_path, config.to_toml())
    read, data_path = read_settings(path)
    assert Config.from_settings(data_path, read) == config
    assert read == config.settings()


def test_json_reads_back(tmp_path):
    config = Config.from_settings("/data", OTHERS)
    content = {"data": "/data", **config.settings()}
    path = write(tmp_path, json.dumps(content), "settings.json")
    read, data_path = read_settings(path)
    assert Config.from_settings(data_path, read) == config


@pytest.mark.parametrize(
    "name", ['Bär "x" \\ y', "tab\tnewline\n", "\U0001f600", "del\x7f", "日本"]
)
def test_any_name_survives_toml(tmp_path, name):
    config = Config.from_settings(f"/data/{name}", {"labels": name})
    read, data_path = read_settings(write(tmp_path, config.to_toml()))
    assert data_path == f"/data/{name}"
    assert read["labels"] == name


def test_tables_only_group(tmp_path):
    path = write(tmp_path, "epochs = 3\n[anything]\nbatch-size = 4\n")
    assert read_settings(path) == ({"epochs": 3, "batch_size": 4}, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("null", "null"), ("true", "true"), ('["a", null]', '["a", null]')],
)
def test_what_is_no_text_is_refused(tmp_path, value, shown):
    path = write(tmp_path, f'{{"labels": {value}}}', "settings.json")
    assert f"labels is {shown}" in read_refusal(path)


def test_byte_order_mark_is_no_setting(tmp_path):
    path = write(tmp_path, "\ufeffepochs = 3\n")
    assert read_settings(path) == ({"epochs": 3}, None)


def test_lists_and_numbers_may_stand_for_texts(tmp_path):
    path = write(
        tmp_path,
        'spacing = [2, 2, 3.5]\nlabels = ["kidney", "liver"]\n'
        "error_map_cases = 3\n",
    )
    config = Config.from_settings("scans", read_settings(path)[0])
    assert config.data.spacing_mm == (2, 2, 3.5)
    assert config.data.label_names == ["kidney", "liver"]
    assert config.sampling.num_error_map_cases == 3


def test_whole_numbers_may_stand_for_fractions():
    config = Config.from_settings("scans", {"epsilon": 1})
    assert config.sampling.epsilon == 1.0
    assert isinstance(config.sampling.epsilon, float)


@pytest.mark.parametrize(
    "text, name, said",
    [
        ("epochs = ", "a.toml", "readable configuration"),
        ("{epochs: 3}", "a.json", "readable configuration"),
        ("[1, 2]", "a.json", "readable configuration"),
        ("epoch = 3", "a.toml", "unknown setting 'epoch'"),
        ("[training]\nepoch = 3", "a.toml", "unknown setting 'epoch'"),
        ("data = 5", "a.toml", "data is 5"),
    ],
)
def test_bad_file_is_refused(tmp_path, text, name, said):
    assert said in read_refusal(write(tmp_path, text, name))


def test_missing_file_and_folder_are_refused(tmp_path):
    assert "readable" in read_refusal(tmp_path / "no.toml")
    assert "readable" in read_refusal(tmp_path)


def test_binary_file_is_refused(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "readable" in read_refusal(path)


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
        ("epochs", 0),
        ("steps_per_epoch", 0),
        ("validate_every", 0),
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
def test_value_out_of_range_is_refused_by_its_option(name, value):
    assert refusal(**{name: value}).startswith(f"--{name.replace('_', '-')}: ")


@pytest.mark.parametrize("way", ["online", "concurrent"])
def test_subsets_of_error_maps_are_those_of_updates(way):
    text = refusal(error_maps=way, error_map_cases="3")
    assert text.startswith("--error-map-cases: ")
    assert Config.from_settings("scans", {"error_maps": way})


def test_concurrent_maps_are_of_isample_alone():
    for sampling, there in (("isample", True), ("uniform", False)):
        settings = {"error_maps": "concurrent", "sampling": sampling}
        config = Config.from_settings("scans", settings)
        assert config.sampling.is_concurrent == there


def test_unknown_setting_is_refused():
    assert "unknown setting 'epoch'" in refusal(epoch=3)


def test_weighted_losses_need_weights():
    assert refusal(loss="wce").startswith("--class-weights: is none")
    text = refusal(loss="dice", class_weights="effective-number")
    assert text.endswith("Use --loss wdice, or leave it away.")


@pytest.mark.parametrize(
    "text, epochs, stages",
    [
        ("", 50, [("ce", 0)]),
        ("ce:0, dice:7", 50, [("ce", 0), ("dice", 7)]),
        ("ce->dice", 50, [("ce", 0), ("dice", 25)]),
        ("ce -> ce-dice -> dice", 9, [("ce", 0), ("ce-dice", 3), ("dice", 6)]),
    ],
)
def test_stages_of_the_loss(text, epochs, stages):
    config = Config.from_settings(
        "scans", {"loss_schedule": text, "epochs": epochs}
    )
    assert config.loss.stages(epochs) == stages


def test_more_losses_than_epochs_are_refused():
    assert "1 epochs" in refusal(loss_schedule="ce->dice", epochs=1)


def test_what_needs_validation_contradicts_refitting():
    assert refusal(refit=True, early_stopping=3).startswith("--early-stopping")
    for settings in ({"refit": True}, {"early_stopping": 3}):
        text = refusal(learning_rate="auto", **settings)
        assert "--learning-rate auto" in text


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


def test_equal_parts_of_a_schedule_stay_when_epochs_are_added():
    config = Config.from_settings(
        "scans", {"loss_schedule": "ce->dice", "epochs": 10}
    )
    assert config.loss.loss_schedule == "ce:0, dice:5"
    longer = {**config.settings(), "epochs": 30}
    assert Config.from_settings("scans", longer).loss.stages(30)[1] == (
        "dice",
        5,
    )


def test_losses_that_never_begin_are_refused():
    text = refusal(loss_schedule="ce:0, dice:40", epochs=40)
    assert text.startswith("--loss-schedule: has a loss from epoch 40 on")


def test_augmentation_of_slices_needs_slices():
    assert refusal(augmentation="cardiac").startswith("--augmentation")


def test_patch_size_that_would_do_is_told():
    assert refusal(network="unet", patch_size=30).endswith("Use 32.")
    assert refusal(network="unet3plus", patch_size=8).endswith("Use 16.")
    assert refusal(patch_size=30).endswith("Use 32.")
    assert refusal(patch_size=1).endswith("Use 4.")


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


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_whole(preset):
    Config.from_settings("scans", PRESETS[preset])


def test_presets_are_the_papers():
    kidneys = Config.from_settings("scans", PRESETS["kidneys-2017"])
    assert kidneys.data.label_names == ["kidney"]
    assert kidneys.data.shares == (16, 4, 0)
    assert kidneys.optimizer.learning_rate == 0.001
    assert kidneys.optimizer.warmup_epochs == 5
    assert kidneys.sampling.batch_size == 12
    assert kidneys.sampling.num_cases_per_batch == 1
    assert kidneys.sampling.epsilon == 0.01
    assert kidneys.training.steps_per_epoch == 100
    later = Config.from_settings("scans", PRESETS["kidneys-2018"])
    assert later.sampling.batch_size == 20
    organs = Config.from_settings("scans", PRESETS["organs-2017"])
    assert organs.optimizer.learning_rate == 0.05
    assert organs.sampling.batch_size == 24
    assert organs.sampling.num_cases_per_batch == 2
    assert organs.training.steps_per_epoch == 200
    autolr = Config.from_settings("scans", PRESETS["autolr-2018"])
    assert autolr.sampling.batch_size == 40
    assert autolr.sampling.num_cases_per_batch is None
    assert autolr.sampling.epsilon == 0
    assert autolr.optimizer.warmup_epochs == 10
    assert autolr.data.shares == (14, 2, 4)


def test_organs_preset_halves_its_rate_every_25_epochs():
    organs = Config.from_settings("scans", PRESETS["organs-2017"]).optimizer
    assert organs.schedule == ("step", (25, 0.5))


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("constant", ("constant", ())),
        ("step:400:0.1", ("step", (400, 0.1))),
        ("poly:0.9", ("poly", (0.9,))),
        ("cosine", ("cosine", ())),
        ("replay:runs/a:b/autolr.json", ("replay", ("runs/a:b/autolr.json",))),
    ],
)
def test_hand_schedules_are_parsed(text, schedule):
    config = Config.from_settings("scans", {"lr_schedule": text})
    assert config.optimizer.schedule == schedule


def test_autolr_warms_up_for_10_epochs_unless_told():
    auto = {"learning_rate": "auto"}
    config = Config.from_settings("scans", auto)
    assert config.optimizer.warmup_epochs == 10
    config = Config.from_settings("scans", {**auto, "warmup_epochs": 3})
    assert config.optimizer.warmup_epochs == 3
    assert Config.from_settings("scans", {}).optimizer.warmup_epochs == 5


def test_autolr_and_a_hand_schedule_contradict_each_other():
    text = refusal(learning_rate="auto", lr_schedule="step:4:0.5")
    assert "--lr-schedule" in text


def test_first_population_and_factors_are_the_papers():
    autolr = Config.from_settings("scans", PRESETS["autolr-2018"]).autolr
    assert autolr.rates == (0.05, 0.01, 0.005)
    assert autolr.rate_factors == (2, 1, 0.5)
    assert autolr.period == 50


def test_each_field_is_one_option_of_fit():
    options = {
        parameter.name: parameter
        for parameter in fit.params
        if parameter.name in FIELDS
    }
    assert set(options) == set(FIELDS)
    for name, option in options.items():
        assert option.opts == ["--" + name.replace("_", "-")]
        assert option.default is None


def test_options_that_are_no_fields_are_few():
    others = {p.name for p in fit.params} - set(FIELDS)
    assert others == {
        "data_path",
        "run",
        "config_file",
        "preset",
        "resume",
        "overwrite",
        "quiet",
    }


def test_every_default_is_told_in_the_help():
    for name, entry in FIELDS.items():
        option = next(p for p in fit.params if p.name == name)
        if entry.default != "":
            assert f"[default: {entry.default}]" in option.help


# The ones whose only choice is the default, until others are implemented.
SINGLE_CHOICE = {
    name
    for name, entry in FIELDS.items()
    if entry.metadata["choices"] and len(entry.metadata["choices"]) == 1
}
# Properties by which the others are read.
READ_AS = {
    "labels": "label_names",
    "spacing": "spacing_mm",
    "split": "shares",
    "fold": "fold_of",
    "split_seed": "seed_of_split",
    "error_map_cases": "num_error_map_cases",
    "validate_cases": "num_validate_cases",
    "cases_per_batch": "num_cases_per_batch",
    "tile_memory": "tile_bytes",
    "lr_schedule": "schedule",
    "patch_size": "side",
    "axis": "sees_slices",
    "loss": "stages",
    "loss_schedule": "stages",
    "population": "rates",
    "factors": "rate_factors",
}


@pytest.mark.parametrize("name", sorted(set(FIELDS) - SINGLE_CHOICE))
def test_every_field_is_used_outside_of_config(name):
    group = next(
        group
        for group, kind in GROUPS.items()
        if name in {entry.name for entry in dataclasses.fields(kind)}
    )
    attribute = READ_AS.get(name, name)
    pattern = rf"\b(config\.{group}|{group}|settings)\.{attribute}\b"
    package = Path(keras_isample.__file__).parent
    sources = [p for p in package.rglob("*.py") if p.parent.name != "config"]
    assert any(re.search(pattern, path.read_text()) for path in sources)
