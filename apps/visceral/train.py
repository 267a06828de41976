"""The papers' first experiment on VISCERAL Anatomy3, beside their results.

Kidneys or ten organs, by preset. Stopped and started again with the same
command, it goes on where it was.
"""

from pathlib import Path

import click

from keras_isample.config import PRESETS
from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import SamplingExperiment
from keras_isample.experiments import parse_epsilons
from keras_isample.experiments.program import experiment_program

# Dice at 5, 10, 20 and 40 thousand steps, as far as published.
PUBLISHED = {
    "kidneys-2017": {
        "published, isample": (0.855, 0.897, 0.920, 0.927),
        "published, uniform": (0.797, 0.849, 0.905, 0.899),
    },
    "organs-2017": {
        "published, isample": (None, None, None, 0.903),
        "published, uniform": (None, None, None, 0.892),
    },
}
STEPS = 40_000
VALIDATIONS = 40


@experiment_program
@click.argument("data", type=click.Path())
@click.option(
    "--preset",
    type=click.Choice(sorted(PUBLISHED)),
    default="kidneys-2017",
    show_default=True,
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    help="Settings that win over those of the preset.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Runs of each.",
)
@click.option("--epsilons", default="", help="More isample arms: 0,0.1,1")
@click.option("--out", default="runs/visceral", show_default=True)
def main(data, preset, config_file, seeds, epsilons, out):
    """Compares isample with uniform sampling on the VISCERAL folder DATA.

    Runs, tables (report.md, CSV) and pictures go to OUT/<preset>.
    """
    settings = dict(PRESETS[preset])
    if config_file:
        more, other = read_settings(config_file)
        if other is not None:
            raise InputError(config_file, "names data", "Leave that out")
        settings |= more
    settings.setdefault("epochs", STEPS // settings["steps_per_epoch"])
    settings.setdefault(
        "validate_every", max(1, settings["epochs"] // VALIDATIONS)
    )
    return SamplingExperiment(
        Path(out) / preset,
        data,
        settings,
        seeds=seeds,
        epsilons=parse_epsilons(epsilons),
        published=PUBLISHED[preset],
    )


if __name__ == "__main__":
    main()
