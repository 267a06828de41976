"""keras-isample fit."""

import dataclasses
import os
import shlex
import sys
import time

import click

from keras_isample.cli.group import main
from keras_isample.cli.group import spelled
from keras_isample.cli.grouped_command import GroupedCommand
from keras_isample.cli.interruption import interruption
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.run_settings import new_config
from keras_isample.cli.run_settings import resumed_config
from keras_isample.cli.settings_options import settings_options
from keras_isample.cli.shown_progress import shown_progress
from keras_isample.config import GROUPS
from keras_isample.config import PRESETS
from keras_isample.errors import InputError

_DATA_HELP = (
    "DATA is a folder in VISCERAL, nnU-Net v2 raw or images/ + labels/ layout, "
    "with NIfTI, MGH, PNG or NPY files; which one is recognized."
)

_TITLES = {"autolr": "AutoLR"}

_GROUPS = {
    "Run": (
        "data_path",
        "run",
        "preset",
        "config_file",
        "resume",
        "overwrite",
        "quiet",
    )
} | {
    _TITLES.get(name, name.capitalize()): tuple(
        entry.name for entry in dataclasses.fields(group)
    )
    for name, group in GROUPS.items()
}

_FIRST = (
    "data_path",
    "run",
    "preset",
    "config_file",
    "resume",
    "labels",
    "spacing",
    "intensity",
    "split",
    "batch_size",
    "network",
    "loss",
    "learning_rate",
    "epochs",
    "steps_per_epoch",
)
"""Options that people need first."""


@main.command(
    cls=GroupedCommand, groups=_GROUPS, first=_FIRST, epilog=_DATA_HELP
)
@click.option(
    "--data",
    "data_path",
    type=click.Path(),
    help="Data set to train on [default: a built-in phantom].",
)
@click.option("--run", "run", type=click.Path(), help="Run folder to write.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    help="Settings from a .toml or .json file; options win.",
)
@click.option(
    "--preset",
    type=click.Choice(sorted(PRESETS)),
    help="The papers' settings; file and options win.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --run.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --run.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@settings_options
def fit(
    data_path, run, config_file, preset, resume, overwrite, quiet, **options
):
    """Trains a network on a data set.

    Without --data the built-in phantom is drawn and trained on.
    """
    source = click.get_current_context().get_parameter_source
    chosen = {
        name: value
        for name, value in options.items()
        if source(name) is not click.core.ParameterSource.DEFAULT
    }
    started = time.strftime("%Y%m%d-%H%M%S")
    if resume and overwrite:
        raise InputError(
            "--overwrite",
            "contradicts --resume",
            "Continue the run or replace it, not both",
        )
    settings = config_file, preset, data_path, chosen
    with shown_progress(quiet) as reporter:
        if resume:
            config = resumed_config(run, *settings, reporter)
        else:
            config = new_config(*settings, reporter)
            name = os.path.basename(config.data_path)
            run = run or os.path.join("runs", f"{name}-{started}")
        result = _trained(
            config,
            run,
            resume=resume,
            overwrite=overwrite,
            command_line=sys.argv,
            say=lambda line: reporter.say(spelled(line)),
            reporter=reporter,
        )
    click.echo(f"{result.path} best validation Dice {_shown(result)}")


def _shown(result):
    """The best validation Dice of a `FitResult`."""
    if result.best_dice is not None:
        return f"{result.best_dice:.4f}"
    if result.best_estimate is not None:
        return f"{result.best_estimate:.4f} (estimated)"
    return "not validated"


def _trained(config, run, **options):
    """A run or a population; when stopped, says how to go on."""
    train = _find_rate if config.optimizer.is_auto else _train
    try:
        return train(config, run, **options)
    except BaseException as error:
        if not interruption.received:
            raise
        options["reporter"].close()
        if os.path.exists(os.path.join(run, "config.toml")):
            click.echo(
                "continue with: keras-isample fit --run "
                f"{shlex.quote(str(run))} --resume",
                err=True,
            )
        raise KeyboardInterrupt from error


def _train(config, run, *, reporter, **options):
    """One run; see `training.fit`."""
    with loading_keras(reporter, training=True):
        from keras.callbacks import LambdaCallback

        from keras_isample.training.run import fit as train

    callbacks = [LambdaCallback(on_train_batch_end=interruption.check)]
    return train(config, run, callbacks=callbacks, reporter=reporter, **options)


def _find_rate(config, run, *, reporter, **options):
    """A population; see `training.AutoLR`."""
    with loading_keras(reporter, training=True):
        from keras_isample.training.autolr import AutoLR

    return AutoLR(config).fit(run, reporter=reporter, **options)
