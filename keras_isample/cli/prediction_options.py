"""Options of the commands that predict."""

import click

from keras_isample.cli.group import complain

_OPTIONS = (
    click.option(
        "--postprocess",
        type=click.Choice(["largest-component", "none"]),
        default="largest-component",
        show_default=True,
        help="Whether islands of each structure are removed.",
    ),
    click.option(
        "--tile-memory",
        default="auto",
        show_default=True,
        help="Of one tile. auto, by the machine's memory: a quarter of it for "
        "the dual-path network, 1GB to 3GB; up to 8GB for 3D U-Nets; 1GB for "
        "slices.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace existing files."),
    click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
)


def prediction_options(command):
    """Adds options of predictions to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def show_failures(error):
    """Names the cases of a `CasesFailed`, one line each."""
    for failure in error.failures:
        complain(failure)
