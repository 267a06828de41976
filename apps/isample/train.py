"""The papers' first experiment: isample against uniform sampling.

The same network, scans, split, seeds and steps, trained with both. Stopped and
started again with the same command, it goes on where it was.
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
@click.option("--seeds", default=3, show_default=True, help="Runs of each.")
@click.option("--epochs", type=int, help="Instead of the file's.")
@click.option("--steps-per-epoch", type=int, help="Instead of the file's.")
@click.option("--validate-every", type=int, help="Instead of the file's.")
@click.option("--epsilons", default="", help="More isample arms: 0,0.1,1")
@click.option(
    "--error-maps",
    multiple=True,
    type=click.Choice(["online", "concurrent"]),
    help="One more isample arm, whose maps are made in this way.",
)
@click.option(
    "--epsilon-seeds",
    default=1,
    show_default=True,
    help="Runs of each of the further arms.",
)
@click.option("--out", default="runs/isample", show_default=True)
@click.option("--cases", default=17, show_default=True, help="Phantom scans.")
@click.option("--side", default=96, show_default=True, help="Their voxels.")
@click.option("--report-only", is_flag=True, help="Train nothing.")
def main(data, config_file, out, **options):
    """Compares isample with uniform sampling at equal steps.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    try:
        if data and not config_file:
            raise InputError("--data", "needs --config", "Give its settings")
        settings, own = read_settings(config_file or SETTINGS)
        data = data or own
        folder = Path(out) / (Path(data).resolve().name if data else "phantom")
        if not data:
            settings.setdefault("cache", str((folder / "cache").absolute()))
        for name in ("epochs", "steps_per_epoch", "validate_every"):
            value = options.pop(name)
            if value is not None:
                settings[name] = value
        _run(folder, data, settings, **options)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _run(
    folder,
    data,
    settings,
    *,
    seeds,
    epsilons,
    error_maps,
    epsilon_seeds,
    cases,
    side,
    report_only,
):
    from keras_isample.callbacks.progress import ProgressReport
    from keras_isample.experiments import SamplingExperiment
    from keras_isample.experiments import open_phantom
    from keras_isample.experiments import parse_epsilons

    epsilons = parse_epsilons(epsilons)
    if data is None:
        data = open_phantom(folder / "data", cases=cases, shape=(side,) * 3)
    experiment = SamplingExperiment(
        folder,
        data,
        settings,
        seeds=seeds,
        epsilons=epsilons,
        epsilon_seeds=epsilon_seeds,
        error_maps=error_maps,
    )
    experiment.run(
        train=not report_only,
        say=click.echo,
        command_line=sys.argv,
        callbacks=[ProgressReport()],
    )


if __name__ == "__main__":
    main()
