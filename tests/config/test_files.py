"""TOML and JSON files of settings."""

import dataclasses
import json

import pytest

from keras_isample.config import GROUPS
from keras_isample.config import Config
from keras_isample.config import read_settings
from keras_isample.errors import InputError

# The same as files of older versions have them.
TEXTS = {
    "labels": "kidney, liver",
    "spacing": "2,2,3.5",
    "split": "16,4,0",
    "fold": "2/5",
    "split_seed": "3",
    "error_map_cases": "3",
    "cases_per_batch": "2",
    "loss_schedule": "wce:0, wdice:2",
    "lr_schedule": "step:25:0.5",
    "population": "0.1,0.02",
    "factors": "3,1",
    "devices": "cpu:0,cpu:1",
    "validate_cases": "5",
    "tile_memory": "500MB",
}

# Values that differ from the defaults, one for each field.
OTHERS = {
    "labels": ("kidney", "liver"),
    "modality": "MRT1_wb",
    "spacing": (2.0, 2.0, 3.5),
    "intensity": "zscore",
    "partial": "background",
    "split": (16.0, 4.0, 0.0),
    "fold": (2, 5),
    "seed": 7,
    "split_seed": 3,
    "cache": "/tmp/some where",
    "sampling": "uniform",
    "epsilon": 0.0,
    "error_maps": "epoch",
    "error_map_cases": 3,
    "error_map_share": 0.2,
    "sample_from": "all",
    "redraw": "center",
    "batch_size": 24,
    "cases_per_batch": 2,
    "augment": False,
    "augmentation": "cardiac",
    "spacing_jitter": 0.05,
    "network": "unet",
    "width": 0.5,
    "patch_size": 16,
    "axis": "coronal",
    "init_from": "runs/before",
    "loss": "focal",
    "loss_schedule": (("wce", 0), ("wdice", 2)),
    "loss_transition": "linear",
    "class_weights": "median-frequency",
    "learning_rate": 1e-05,
    "lr_schedule": ("step", 25, 0.5),
    "warmup_epochs": 0,
    "optimizer": "adamw",
    "weight_decay": 0.0,
    "ema_momentum": 0.9,
    "population": (0.1, 0.02),
    "factors": (3.0, 1.0),
    "period": 7,
    "selection": "truncation",
    "spawn_from": "best",
    "executor": "process",
    "gpus_per_member": 2,
    "threads_per_member": 3,
    "ray_address": "auto",
    "max_restarts": 0,
    "devices": ("cpu:0", "cpu:1"),
    "epochs": 3,
    "steps_per_epoch": 5,
    "validate_every": 2,
    "validation_share": 0.25,
    "validate_cases": 5,
    "early_stopping": 4,
    "normalization_batches": 3,
    "refit": False,
    "mixed_precision": "bfloat16",
    "tile_memory": 500_000_000,
    "save_error_maps": True,
}


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
    groups = GROUPS.values()
    fields = {x.name for group in groups for x in dataclasses.fields(group)}
    assert set(OTHERS) == fields


def test_texts_mean_the_same(tmp_path):
    typed = Config.from_settings("/data", OTHERS)
    assert Config.from_settings("/data", OTHERS | TEXTS) == typed
    lines = [f'{name} = "{text}"' for name, text in TEXTS.items()]
    read, _ = read_settings(write(tmp_path, "\n".join(lines)))
    assert read == {name: OTHERS[name] for name in TEXTS}


def test_empty_texts_of_older_files_are_no_values(tmp_path):
    names = ("labels", "fold", "split_seed", "cache", "init_from")
    names += ("loss_schedule", "ray_address")
    lines = [f'{name} = ""' for name in names]
    read, _ = read_settings(write(tmp_path, "\n".join(lines)))
    defaults = Config.from_settings("/data", {}).settings()
    assert read == {name: defaults[name] for name in names}


def test_toml_has_lists_and_numbers():
    text = Config.from_settings("/data", OTHERS).to_toml()
    for line in (
        'labels = ["kidney", "liver"]',
        "spacing = [2.0, 2.0, 3.5]",
        "fold = [2, 5]",
        "split_seed = 3",
        'loss_schedule = [["wce", 0], ["wdice", 2]]',
        'lr_schedule = ["step", 25, 0.5]',
        "tile_memory = 500000000",
    ):
        assert f"\n{line}\n" in text


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
    config = Config.from_settings(f"/data/{name}", {"labels": (name,)})
    read, data_path = read_settings(write(tmp_path, config.to_toml()))
    assert data_path == f"/data/{name}"
    assert read["labels"] == (name,)


def test_tables_only_group(tmp_path):
    path = write(tmp_path, "epochs = 3\n[anything]\nbatch-size = 4\n")
    assert read_settings(path) == ({"epochs": 3, "batch_size": 4}, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("null", "None"), ("true", "True"), ('["a", null]', "['a', None]")],
)
def test_value_of_another_type_is_refused_by_its_file(tmp_path, value, shown):
    path = write(tmp_path, f'{{"labels": {value}}}', "settings.json")
    assert f"labels expects names, got {shown}" in read_refusal(path)


def test_value_out_of_range_is_refused_by_its_file(tmp_path):
    path = write(tmp_path, "epochs = 0")
    assert "epochs must be at least 1, got 0" in read_refusal(path)


def test_byte_order_mark_is_no_setting(tmp_path):
    path = write(tmp_path, "\ufeffepochs = 3\n")
    assert read_settings(path) == ({"epochs": 3}, None)


def test_whole_numbers_and_single_ones_may_stand_for_lists(tmp_path):
    path = write(tmp_path, "spacing = [2, 2, 3.5]\npopulation = 0.1\n")
    read, _ = read_settings(path)
    assert read == {"spacing": (2.0, 2.0, 3.5), "population": (0.1,)}


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


@pytest.mark.parametrize("written", ["[1302, 170]", '"1302, 170"'])
def test_names_may_be_numbers(tmp_path, written):
    path = tmp_path / "config.toml"
    path.write_text(f"labels = {written}")
    assert read_settings(path)[0] == {"labels": ("1302", "170")}
