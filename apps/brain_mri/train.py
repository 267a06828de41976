"""Loss scheduling for brain MR, and automatic labels before manual ones.

Stopped and started again with the same command, it goes on where it was.
"""

import sys
from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError

SETTINGS = Path(__file__).parent / "config.toml"
PAPER = {"width": 1.0, "epochs": 60, "steps_per_epoch": 200}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--automatic", type=click.Path(), help="Default: a phantom.")
@click.option("--manual", type=click.Path(), help="Default: a phantom.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    help="Settings of all runs, as of fit.",
)
@click.option(
    "--preset",
    type=click.Choice(["small", "paper"]),
    default="small",
    show_default=True,
    help="paper: a network of full width, longer.",
)
@click.option("--seeds", default=3, show_default=True, help="Runs of each.")
@click.option("--epochs", type=int, help="Instead of the file's.")
@click.option("--steps-per-epoch", type=int, help="Instead of the file's.")
@click.option(
    "--fine-tuning-epochs", default=8, show_default=True, help="At a tenth."
)
@click.option("--out", default="runs/brain_mri", show_default=True)
@click.option("--report-only", is_flag=True, help="Train nothing.")
def main(automatic, manual, config_file, preset, out, **options):
    """Compares a scheduled loss with fixed ones, before and after fine-tuning.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    try:
        if bool(automatic) != bool(manual):
            raise InputError(
                "--automatic", "needs --manual", "Give both or neither"
            )
        settings, data = read_settings(config_file or SETTINGS)
        if data is not None:
            raise InputError(
                config_file,
                "names data, and there are two data sets here",
                "Give --automatic and --manual",
            )
        if settings.get("learning_rate") == "auto":
            raise InputError(
                config_file,
                "has learning_rate auto, and fine-tuning takes a tenth of it",
                "Give a number",
            )
        if preset == "paper":
            settings |= PAPER
        for name in ("epochs", "steps_per_epoch"):
            value = options.pop(name)
            if value is not None:
                settings[name] = value
        name = Path(automatic).resolve().name if automatic else "phantom"
        folder = Path(out) / name
        if not automatic:
            settings.setdefault("cache", str((folder / "cache").absolute()))
        _run(folder, automatic, manual, settings, **options)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _run(
    folder, automatic, manual, settings, seeds, fine_tuning_epochs, report_only
):
    from keras_isample.callbacks.progress import ProgressReport
    from keras_isample.experiments import FineTuningExperiment
    from keras_isample.experiments import open_phantom

    if automatic is None:
        data = open_phantom(folder / "data", "brain")
        automatic, manual = data / "auto", data / "manual"
    FineTuningExperiment(
        folder,
        automatic,
        manual,
        settings,
        arms_of(tuple(range(seeds))),
        {
            "epochs": fine_tuning_epochs,
            "learning_rate": 0.1 * float(settings.get("learning_rate", 0.01)),
            "validate_every": 1,
        },
    ).run(
        train=not report_only,
        say=click.echo,
        command_line=sys.argv,
        callbacks=[ProgressReport()],
    )


def arms_of(seeds):
    """The scheduled loss and the fixed ones."""
    from keras_isample.experiments import Arm

    return [
        Arm(
            "scheduled",
            "w-CE, then w-Dice",
            {"loss_schedule": "wce->wdice", "loss_transition": "linear"},
            seeds,
        ),
        Arm(
            "scheduled-sum",
            "w-CE + w-Dice, then w-Dice",
            {"loss_schedule": "wce-wdice->wdice"},
            seeds,
        ),
        Arm("wce", "w-CE", {"loss": "wce"}, seeds),
        Arm("wce-wdice", "w-CE + w-Dice", {"loss": "wce-wdice"}, seeds),
        Arm(
            "quicknat",
            "w-CE + Dice + boundary",
            {"loss": "boundary-ce-dice"},
            seeds,
        ),
        Arm("wdice", "w-Dice", {"loss": "wdice"}, seeds),
    ]


if __name__ == "__main__":
    main()
