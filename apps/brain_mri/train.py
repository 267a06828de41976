"""Loss scheduling for brain MR, and automatic labels before manual ones.

Stopped and started again with the same command, it goes on where it was.
"""

from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import Arm
from keras_isample.experiments import FineTuningExperiment
from keras_isample.experiments.program import experiment_program
from keras_isample.experiments.program import length_options
from keras_isample.experiments.program import with_options
from keras_isample.experiments.subject import SIDES
from keras_isample.experiments.subject import subject_of

SETTINGS = Path(__file__).parent / "config.toml"
PAPER = {
    "width": 1.0,
    "epochs": 60,
    "steps_per_epoch": 200,
    "mixed_precision": "none",
}
PAPER_SIDE = 96


@experiment_program
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
    help="paper: a network of full width, larger phantom scans, longer.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each.",
)
@length_options
@click.option(
    "--fine-tuning-epochs", default=8, show_default=True, help="At a tenth."
)
@click.option(
    "--side",
    type=int,
    help="Voxels of the phantom's scans along each axis.  "
    f"[default: {SIDES['brain']}; paper {PAPER_SIDE}]",
)
@click.option("--out", default="runs/brain_mri", show_default=True)
def main(
    automatic,
    manual,
    config_file,
    preset,
    seeds,
    fine_tuning_epochs,
    side,
    out,
    **given,
):
    """Compares a scheduled loss with fixed ones, before and after fine-tuning.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    if bool(automatic) != bool(manual):
        raise InputError(
            "--automatic", "goes with --manual", "Give both or neither"
        )
    settings = _settings(config_file, preset, given)
    if preset == "paper" and side is None and not automatic:
        side = PAPER_SIDE
    subject = subject_of(out, automatic, settings, kind="brain", side=side)
    experiment = FineTuningExperiment(
        subject.folder,
        automatic or subject.data / "auto",
        manual or subject.data / "manual",
        subject.settings,
        arms_of(tuple(range(seeds))),
        {
            "epochs": fine_tuning_epochs,
            "learning_rate": 0.1 * float(settings.get("learning_rate", 0.01)),
            "validate_every": 1,
        },
    )
    subject.draw()
    return experiment


def _settings(config_file, preset, given):
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
    return with_options(settings, given)


def arms_of(seeds):
    """The scheduled loss and the fixed ones."""
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
