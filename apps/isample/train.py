"""The papers' first experiment: isample against uniform sampling.

The same network, scans, split, seeds and steps, trained with both. Stopped and
started again with the same command, it goes on where it was.
"""

from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import SamplingExperiment
from keras_isample.experiments import parse_epsilons
from keras_isample.experiments import parse_rates
from keras_isample.experiments import parse_shares
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
    default=3,
    show_default=True,
    help="Runs of each.",
)
@length_options
@click.option("--learning-rate", type=float, help="Instead of the file's.")
@click.option("--lr-schedule", help="Instead of the file's.")
@click.option("--validate-every", type=int, help="Instead of the file's.")
@click.option("--epsilons", default="", help="More isample arms: 0,0.1,1")
@click.option(
    "--error-maps",
    multiple=True,
    type=click.Choice(["online", "concurrent"]),
    help="One more isample arm, whose maps are made in this way.",
)
@click.option(
    "--error-map-shares",
    default="",
    help="More isample arms, maps within these shares: 0.02,0.15",
)
@click.option(
    "--epsilon-seeds",
    default=1,
    show_default=True,
    help="Runs of each arm of --epsilons, --error-maps and --error-map-shares.",
)
@click.option(
    "--half",
    is_flag=True,
    help="One more isample arm, planned for half the epochs.",
)
@click.option(
    "--learning-rates",
    default="",
    help="Both samplings at more rates: 0.006,0.012",
)
@click.option("--out", default="runs/isample", show_default=True)
@phantom_options
def main(
    data,
    config_file,
    out,
    seeds,
    epsilons,
    error_maps,
    error_map_shares,
    epsilon_seeds,
    half,
    learning_rates,
    cases,
    side,
    **given,
):
    """Compares isample with uniform sampling at equal steps.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    if data and not config_file:
        raise InputError("--data", "needs --config", "Give its settings")
    epsilons = parse_epsilons(epsilons)
    settings, own = read_settings(config_file or SETTINGS)
    settings = with_options(settings, given)
    subject = subject_of(out, data or own, settings, cases=cases, side=side)
    experiment = SamplingExperiment(
        subject.folder,
        subject.data,
        subject.settings,
        seeds=seeds,
        epsilons=epsilons,
        epsilon_seeds=epsilon_seeds,
        error_maps=error_maps,
        error_map_shares=parse_shares(error_map_shares),
        half=half,
        learning_rates=parse_rates(learning_rates),
    )
    subject.draw()
    return experiment


if __name__ == "__main__":
    main()
