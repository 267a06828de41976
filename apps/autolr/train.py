"""AutoLR against constant rates and hand schedules, at equal steps.

Stopped and started again with the same command, it goes on where it was.
"""

from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import RateExperiment
from keras_isample.experiments.program import experiment_program
from keras_isample.experiments.program import length_options
from keras_isample.experiments.program import with_options
from keras_isample.experiments.subject import phantom_options
from keras_isample.experiments.subject import subject_of

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
@phantom_options
def main(data, config_file, out, seeds, cases, side, **given):
    """Compares AutoLR with learning rates set by hand.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    if data and not config_file:
        raise InputError("--data", "needs --config", "Give its settings")
    settings, own = read_settings(config_file or SETTINGS)
    settings = with_options(settings, given)
    subject = subject_of(out, data or own, settings, cases=cases, side=side)
    experiment = RateExperiment(
        subject.folder,
        subject.data,
        subject.settings,
        seeds=seeds,
    )
    subject.draw()
    return experiment


if __name__ == "__main__":
    main()
