"""Every field is an option of `fit`, with help, and is used."""

import dataclasses
import re
from pathlib import Path

import pytest

import keras_isample
from keras_isample.cli import fit
from keras_isample.config import FIELDS
from keras_isample.config import GROUPS
from keras_isample.config.settings import text_of

# Properties by which the others are read.
READ_AS = {
    "spacing": "spacing_mm",
    "split_seed": "seed_of_split",
    "error_map_cases": "num_error_map_cases",
    "validate_cases": "num_validate_cases",
    "validate_every": "fixed_validate_every",
    "cases_per_batch": "num_cases_per_batch",
    "tile_memory": "tile_bytes",
    "lr_schedule": "schedule",
    "patch_size": "side",
    "axis": "sees_slices",
    "loss": "stages",
    "loss_schedule": "stages",
}


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
        "help_all",
    }


def test_every_default_is_told_in_the_help():
    for name, entry in FIELDS.items():
        option = next(p for p in fit.params if p.name == name)
        text = text_of(entry, entry.default)
        assert (f"[default: {text}]" in option.help) == bool(text)


@pytest.mark.parametrize("name", sorted(FIELDS))
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
