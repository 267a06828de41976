"""The cardiac MR study: losses, augmentation, networks, rates, weight decay.

Stopped and started again with the same command, it goes on where it was.
"""

from dataclasses import replace
from pathlib import Path

import click

from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.experiments import Arm
from keras_isample.experiments import Group
from keras_isample.experiments import SettingsExperiment
from keras_isample.experiments.program import experiment_program
from keras_isample.experiments.program import length_options
from keras_isample.experiments.program import with_options
from keras_isample.experiments.subject import subject_of

SETTINGS = Path(__file__).parent / "config.toml"
PAPER = {
    "width": 1.0,
    "epochs": 100,
    "early_stopping": 5,
    "mixed_precision": "none",
}
GROUPS = (
    "losses",
    "augmentation",
    "networks",
    "learning_rates",
    "weight_decays",
)
# Widths of the other networks in terms of a narrow U-Net's, for about as many
# parameters.
_UNET3PLUS = 0.25 / 0.45
_DEEPLAB = 0.33 / 0.45
_WEIGHTED = {"class_weights": "median-frequency"}


@experiment_program
@click.option("--data", type=click.Path(), help="Default: a phantom.")
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
    help="paper: networks of full width, patience 5.",
)
@click.option(
    "--groups",
    multiple=True,
    type=click.Choice(GROUPS),
    help="What to compare; all by default.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Runs of each loss.  [default: 3]",
)
@length_options
@click.option("--out", default="runs/cardiac_mri", show_default=True)
def main(data, config_file, preset, groups, seeds, out, **given):
    """Compares ways to train networks for short-axis cardiac MR.

    Runs, tables (report.md, CSV) and pictures go to OUT/<name of the data>.
    """
    settings, own = read_settings(config_file or SETTINGS)
    if preset == "paper":
        settings |= PAPER
    settings = with_options(settings, given)
    subject = subject_of(out, data or own, settings, kind="cardiac")
    names = groups or GROUPS
    # Losses alone have several seeds; the other groups share one of them.
    if "losses" not in names:
        if seeds is not None:
            raise InputError(
                "--seeds",
                "is of the losses, which are not compared",
                "Leave it away, or add --groups losses",
            )
        seeds = 1
    every = groups_of(settings, tuple(range(seeds or 3)))
    experiment = SettingsExperiment(
        subject.folder,
        subject.data,
        subject.settings,
        [group for group in every if group.name in names],
        title="Cardiac MR",
    )
    subject.draw()
    return experiment


def groups_of(settings, seeds):
    """What the study compares; one arm is in every group."""
    common = {
        "loss": "dice-focal",
        "network": "unet",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "augment": True,
    }

    def arm(name, title, seeds=(0,), **own):
        return Arm(name, title, {**common, **own}, seeds)

    base = arm("dice-focal", "Dice-Focal", seeds)
    losses = (
        arm("ce", "CE", seeds, loss="ce"),
        arm("wce", "weighted CE", seeds, loss="wce", **_WEIGHTED),
        arm("ce-dice", "CE-Dice", seeds, loss="ce-dice"),
        arm(
            "wce-dice", "weighted CE-Dice", seeds, loss="wce-dice", **_WEIGHTED
        ),
        base,
    )

    def named(title):
        # The same runs, by what sets them apart in a group.
        return replace(base, title=title)

    augmentation = (
        named("augmentation"),
        arm("not-augmented", "no augmentation", augment=False),
    )
    width = float(settings.get("width", 1.0))
    networks = (
        named("U-Net"),
        arm(
            "unet3plus",
            "UNet 3+",
            network="unet3plus",
            width=width if width == 1 else width * _UNET3PLUS,
        ),
        arm(
            "deeplab-v3",
            "DeepLabV3",
            network="deeplab-v3",
            width=width if width == 1 else width * _DEEPLAB,
        ),
    )
    rates = (
        arm("rate-0.01", "1e-2", learning_rate=1e-2),
        named("1e-3"),
        arm("rate-0.0001", "1e-4", learning_rate=1e-4),
    )
    decays = (
        arm("decay-0.01", "1e-2", weight_decay=1e-2),
        arm("decay-0.001", "1e-3", weight_decay=1e-3),
        named("1e-4"),
        arm("decay-1e-05", "1e-5", weight_decay=1e-5),
    )
    return [
        Group("losses", "Losses", losses),
        Group("augmentation", "Augmentation", augmentation),
        Group("networks", "Networks", networks),
        Group("learning_rates", "Learning rate", rates),
        Group("weight_decays", "Weight decay", decays),
    ]


if __name__ == "__main__":
    main()
