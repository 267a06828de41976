"""Messages of the package, with options in place of arguments."""

import ast
import logging
import re
from pathlib import Path

import pytest

import keras_isample
from keras_isample.cli import inspect_command
from keras_isample.cli import main
from keras_isample.cli.group import _Spelled
from keras_isample.cli.group import spelled
from keras_isample.config.spelling import options_by_name
from keras_isample.errors import InputError


@pytest.mark.parametrize(
    "name, option",
    [
        ("error_map_share", "--error-map-share"),
        ("data_path", "--data"),
        ("data", "--data"),
        ("out", "--out"),
        ("overwrite=True", "--overwrite"),
        ("augment=False", "--no-augment"),
        ("verbose=True", "--verbose"),
        ("learning_rate='auto'", "--learning-rate auto"),
        ("mixed_precision='bfloat16'", "--mixed-precision bfloat16"),
    ],
)
def test_arguments_are_options_of_any_command(name, option):
    assert spelled(f"Use `{name}`.") == f"Use {option}."


def test_errors_name_options(run, monkeypatch, tmp_path):
    def fail(quiet):
        raise InputError("`data_path`", "is 3", "Use `augment=False`")

    monkeypatch.setattr(inspect_command, "shown_progress", fail)
    said = "keras-isample: error: --data: is 3. Use --no-augment.\n"
    assert run("inspect", tmp_path).stderr == said


def test_log_names_options():
    record = logging.LogRecord(
        "name",
        logging.WARNING,
        "file.py",
        1,
        "%s: use `intensity='%s'`.",
        ("`epochs`", "zscore"),
        None,
    )
    assert _Spelled("%(message)s").format(record) == (
        "--epochs: use --intensity zscore."
    )
    assert record.getMessage() == "`epochs`: use `intensity='zscore'`."


def test_arguments_that_errors_name_are_options():
    known = set(options_by_name(main.params))
    for command in main.commands.values():
        known |= set(options_by_name(command.params))
    named = set()
    for path in Path(keras_isample.__file__).parent.rglob("*.py"):
        # Programs of experiments have options of their own.
        if path.parent.name == "experiments":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call | ast.Yield):
                is_error = isinstance(node, ast.Yield) or (
                    ast.unparse(node.func) == "InputError"
                )
                text = ast.unparse(node) if is_error else ""
                named |= set(re.findall(r"`([a-z_]+)(?:=[^`]*)?`", text))
    assert "batch_size" in named
    # Other programs keep their names.
    assert named - known == {"chmod", "mri_convert"}


def test_no_option_is_spelled_below_the_command_line():
    package = Path(keras_isample.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        # Experiments have command lines of their own.
        if path.parent.name in ("cli", "config", "experiments"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = re.findall(r"--[a-z][a-z-]+", node.value)
                found += [(path.name, name) for name in names]
    # Of other programs, and of the command line itself.
    assert set(found) <= {
        ("__init__.py", "--help"),
        ("gpus.py", "--format"),
        ("gpus.py", "--query-gpu"),
        ("ray_executor.py", "--head"),
    }


@pytest.mark.parametrize(
    "options", [["--axis", "axial"], ["--patch-size", "full"]]
)
def test_no_backquote_is_left_in_a_message(run, tmp_path, options):
    said = run("fit", "--data", tmp_path, *options).stderr
    assert "--network unet, unet3plus" in said and "`" not in said
