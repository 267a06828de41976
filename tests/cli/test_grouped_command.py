"""Help in groups, first the options that people need first."""

import click
import pytest
from click.testing import CliRunner

from keras_isample.cli import fit
from keras_isample.cli.grouped_command import GroupedCommand


@pytest.fixture
def command():
    @click.command(
        cls=GroupedCommand,
        groups={"Files": ("out",), "Length": ("epochs", "steps")},
        first=("epochs",),
    )
    @click.option("--out")
    @click.option("--epochs")
    @click.option("--steps")
    def program(**options):
        """Does things."""

    return program


def shown(command, option):
    result = CliRunner().invoke(command, [option])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    titles = [line.partition(":")[0] for line in lines if line[:1].strip()]
    # Those of an option begin after two spaces.
    options = {line.split()[0] for line in lines if line.startswith("  -")}
    return titles[1:], options


def test_help_shows_the_first_options_and_their_groups(command):
    titles, options = shown(command, "--help")
    assert titles == ["Length", "Help"]
    assert options == {"--epochs", "--help-all", "--help"}


def test_help_all_shows_every_option(command):
    titles, options = shown(command, "--help-all")
    assert titles == ["Files", "Length", "Help"]
    assert options == {"--out", "--epochs", "--steps", "--help-all", "--help"}


def test_help_says_how_many_there_are(command):
    text = CliRunner().invoke(command, ["--help"]).stdout
    assert "Show all 3 options." in text


def test_fit_shows_15_options_first():
    _, options = shown(fit, "--help")
    assert len(options - {"--help-all", "--help", "-h,"}) == 15
    assert {"--data", "--labels", "--epochs", "--learning-rate"} <= options


def test_every_option_of_fit_has_a_group():
    grouped = {name for names in fit.groups.values() for name in names}
    assert grouped == {p.name for p in fit.params} - {"help_all"}
    assert set(fit.first) <= grouped
