"""AutoLR against constant rates and hand schedules, at equal steps.

Stopped and started again with the same command, it goes on where it was.
"""

import sys
from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError

SETTINGS = Path(__file__).parent / "config.toml"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(), help="Default: a phantom.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    help="Settings of all runs, as of fit; needed with --data.",
)
@click.option("--seeds", default=2, show_default=True, help="Runs of each.")
@click.option("--epochs", type=int, help="Instead of the file's.")
@click.option("--period", type=int, help="Instead of the file's.")
@click.option("--steps-per-epoch", type=int, help="Instead of the file's.")
@click.option("--out", default="runs/autolr", show_default=True)
@click.option("--cases", default=17, show_default=True, help="Phantom scans.")
@click.option("--side", default=96, show_default=True, help="Their voxels.")
@click.option("--report-only", is_flag=True, help="Train nothing.")
def main(data, config_file, out, seeds, cases, side, report_only, **given):
    """Compares AutoLR with learning rates set by hand.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    try:
        if data and not config_file:
            raise InputError("--data", "needs --config", "Give its settings")
        settings, own = read_settings(config_file or SETTINGS)
        settings |= {k: v for k, v in given.items() if v is not None}
        data = data or own
        folder = Path(out) / (Path(data).resolve().name if data else "phantom")
        if not data:
            settings.setdefault("cache", str((folder / "cache").absolute()))
        _run(folder, data, settings, seeds, cases, side, not report_only)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _run(folder, data, settings, seeds, cases, side, train):
    from keras_isample.callbacks.progress import ProgressReport
    from keras_isample.experiments import RateExperiment
    from keras_isample.experiments import open_phantom

    if data is None:
        data = open_phantom(folder / "data", cases=cases, shape=(side,) * 3)
    RateExperiment(folder, data, settings, seeds=seeds).run(
        train=train,
        say=click.echo,
        command_line=sys.argv,
        callbacks=[ProgressReport()],
    )


if __name__ == "__main__":
    main()
