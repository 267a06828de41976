"""The papers' first experiment on VISCERAL Anatomy3, beside their results.

Kidneys or ten organs, by preset. Stopped and started again with the same
command, it goes on where it was.
"""

import sys
from pathlib import Path

import click

from keras_isample.config import PRESETS
from keras_isample.config import read_settings
from keras_isample.errors import InputError

# Dice at 5, 10, 20 and 40 thousand steps, as far as published.
KIDNEYS = {
    "published, isample": (0.855, 0.897, 0.920, 0.927),
    "published, uniform": (0.797, 0.849, 0.905, 0.899),
}
ORGANS = {
    "published, isample": (None, None, None, 0.903),
    "published, uniform": (None, None, None, 0.892),
}
PUBLISHED = {"kidneys-2017": KIDNEYS, "organs-2017": ORGANS}
STEPS = 40_000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("data", type=click.Path())
@click.option(
    "--preset",
    type=click.Choice(sorted(PUBLISHED)),
    default="kidneys-2017",
    show_default=True,
)
@click.option("--config", "config_file", help="Settings that win over it.")
@click.option("--seeds", default=1, show_default=True, help="Runs of each.")
@click.option("--epsilons", default="", help="More isample arms: 0,0.1,1")
@click.option("--out", default="runs/visceral", show_default=True)
@click.option("--report-only", is_flag=True, help="Train nothing.")
def main(data, preset, config_file, seeds, epsilons, out, report_only):
    """Compares isample with uniform sampling on the VISCERAL folder DATA.

    Runs, tables (report.md, CSV) and pictures go to OUT/<preset>.
    """
    try:
        settings = dict(PRESETS[preset])
        settings["epochs"] = STEPS // settings["steps_per_epoch"]
        settings["validate_every"] = settings["epochs"] // 40
        if config_file:
            settings |= read_settings(config_file)[0]
        folder = Path(out) / preset
        run(folder, data, settings, preset, seeds, epsilons, report_only)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)


def run(folder, data, settings, preset, seeds, epsilons, report_only):
    """Trains what is not there yet and prints the tables."""
    from keras_isample.callbacks.progress import ProgressReport
    from keras_isample.experiments import SamplingExperiment
    from keras_isample.experiments import parse_epsilons

    experiment = SamplingExperiment(
        folder,
        data,
        settings,
        seeds=seeds,
        epsilons=parse_epsilons(epsilons),
    )
    if not report_only:
        experiment.train(
            command_line=sys.argv, callbacks=[ProgressReport()], say=click.echo
        )
    for table in experiment.report(PUBLISHED[preset]):
        click.echo(table.to_markdown())
    click.echo(folder / "report.md")


if __name__ == "__main__":
    main()
