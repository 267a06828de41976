"""AutoLR against constant rates and hand schedules, at equal steps.

Stopped and started again with the same command, it goes on where it was.
"""

from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import RateExperiment
from keras_isample.experiments import open_phantom
from keras_isample.experiments.program import experiment_folder
from keras_isample.experiments.program import experiment_program
from keras_isample.experiments.program import kept_with
from keras_isample.experiments.program import length_options
from keras_isample.experiments.program import with_options

SETTINGS = Path(__file__).parent / "config.toml"


@experiment_program
@click.option("--data", type=click.Path(), help="Default: a phantom.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    help="Settings of all runs, as of fit; needed with --data.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Runs of each.",
)
@click.option("--period", type=int, help="Instead of the file's.")
@length_options
@click.option("--out", default="runs/autolr", show_default=True)
@click.option("--cases", default=17, show_default=True, help="Phantom scans.")
@click.option("--side", default=96, show_default=True, help="Their voxels.")
def main(data, config_file, out, seeds, cases, side, **given):
    """Compares AutoLR with learning rates set by hand.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    if data and not config_file:
        raise InputError("--data", "needs --config", "Give its settings")
    settings, own = read_settings(config_file or SETTINGS)
    settings = with_options(settings, given)
    data = data or own
    folder = experiment_folder(out, data)
    experiment = RateExperiment(
        folder,
        data or folder / "data",
        settings if data else kept_with(folder, settings),
        seeds=seeds,
    )
    if not data:
        open_phantom(folder / "data", cases=cases, shape=(side,) * 3)
    return experiment


if __name__ == "__main__":
    main()
