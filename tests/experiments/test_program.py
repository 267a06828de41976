"""Programs of experiments: options, messages, exit codes."""

import logging
import sys

import click
import pytest
from click.testing import CliRunner

from keras_isample.errors import InputError
from keras_isample.experiments.program import experiment_program
from keras_isample.experiments.program import length_options
from keras_isample.experiments.program import with_options
from keras_isample.progress import LineReporter


class FakeExperiment:
    def __init__(self, error=None):
        self.error = error
        self.options = None

    def run(self, **options):
        self.options = options
        if self.error:
            raise self.error


def program_of(experiment):
    @experiment_program
    @click.option("--first", type=int)
    @length_options
    def main(**given):
        """Compares things."""
        main_options.update(given)
        return experiment

    main_options = {}
    return main, main_options


def test_options_reach_the_function_and_the_experiment():
    experiment = FakeExperiment()
    program, given = program_of(experiment)
    result = CliRunner().invoke(
        program, ["--first", "3", "--epochs", "2", "--report-only"]
    )
    assert result.exit_code == 0
    assert given == {"first": 3, "epochs": 2, "steps_per_epoch": None}
    assert experiment.options.pop("train") is False
    assert callable(experiment.options.pop("say"))
    assert experiment.options.pop("command_line") == sys.argv
    assert isinstance(experiment.options.pop("reporter"), LineReporter)
    assert experiment.options == {}


@pytest.fixture
def tensorflow_log():
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield logger
    logger.setLevel(level)


def test_remarks_on_tracing_are_not_shown(tensorflow_log):
    CliRunner().invoke(program_of(FakeExperiment())[0], [])
    assert not tensorflow_log.isEnabledFor(logging.WARNING)
    assert tensorflow_log.isEnabledFor(logging.ERROR)


def test_training_is_the_default():
    experiment = FakeExperiment()
    assert CliRunner().invoke(program_of(experiment)[0], []).exit_code == 0
    assert experiment.options["train"] is True


def test_help_is_the_docstring_with_the_common_option_last():
    text = CliRunner().invoke(program_of(None)[0], ["-h"]).stdout
    assert "Compares things." in text
    options = [
        line.split()[0] for line in text.splitlines() if line.startswith("  --")
    ]
    assert options == [
        "--first",
        "--epochs",
        "--steps-per-epoch",
        "--report-only",
    ]


def test_arguments_that_are_options_are_shown_as_such(capsys):
    text = "Use more `epochs`, or another `labels`"
    experiment = FakeExperiment(InputError("`epochs`", "is 3", text))
    result = CliRunner().invoke(program_of(experiment)[0], [])
    said = "--epochs: is 3. Use more --epochs, or another `labels`."
    assert result.stderr == f"Error: {said}\n"
    experiment.options["say"](text)
    assert capsys.readouterr().out == "Use more --epochs, or another `labels`\n"


@pytest.mark.parametrize(
    "error, code, text",
    [
        (InputError("x.toml", "is bad", "Correct it"), 1, "x.toml: is bad"),
        (PermissionError(13, "not allowed"), 1, "not allowed"),
        (KeyboardInterrupt(), 130, "the same command goes on from here"),
    ],
)
def test_what_goes_wrong_is_one_line(error, code, text):
    result = CliRunner().invoke(program_of(FakeExperiment(error))[0], [])
    assert result.exit_code == code
    assert text in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_bad_input_of_the_function_is_one_line():
    @experiment_program
    def main():
        raise InputError("x.toml", "is bad", "Correct it")

    result = CliRunner().invoke(main, [])
    assert result.exit_code == 1
    assert result.stderr == "Error: x.toml: is bad. Correct it.\n"


def test_errors_that_are_bugs_are_not_hidden():
    program, _ = program_of(FakeExperiment(RuntimeError("a bug")))
    assert isinstance(CliRunner().invoke(program, []).exception, RuntimeError)


def test_options_that_were_given_win():
    settings = {"epochs": 5, "width": 1.0}
    given = {"epochs": 2, "steps_per_epoch": None}
    assert with_options(settings, given) == {"epochs": 2, "width": 1.0}
    assert settings["epochs"] == 5
