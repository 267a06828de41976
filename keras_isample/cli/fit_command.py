"""keras-isample fit."""

import os
import shlex
import sys
import time

import click

from keras_isample.cli.group import main
from keras_isample.cli.interruption import interruption
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.progress_bar import ProgressBar
from keras_isample.cli.run_settings import new_config
from keras_isample.cli.run_settings import resumed_config
from keras_isample.cli.settings_options import settings_options
from keras_isample.config import PRESETS
from keras_isample.errors import InputError

_DATA_HELP = (
    "DATA is a folder in VISCERAL, nnU-Net v2 raw or images/ + labels/ layout, "
    "with NIfTI, MGH, PNG or NPY files; which one is recognized."
)


@main.command(epilog=_DATA_HELP)
@click.option(
    "--data", "data_path", type=click.Path(), help="Data set; the phantom."
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
    chosen = {key: value for key, value in options.items() if value is not None}
    started = time.strftime("%Y%m%d-%H%M%S")
    if resume and overwrite:
        raise InputError(
            "--overwrite",
            "contradicts --resume",
            "Continue the run or replace it, not both",
        )
    if resume:
        config = resumed_config(run, config_file, preset, data_path, chosen)
    else:
        config = new_config(config_file, preset, data_path, chosen, quiet)
        name = os.path.basename(config.data_path)
        run = run or os.path.join("runs", f"{name}-{started}")

    def say(text):
        if not quiet:
            click.echo(text, err=True)

    train = _find_rate if config.optimizer.is_auto else _train
    try:
        with ProgressBar("preparing scans", quiet) as progress:
            result = train(
                config,
                run,
                quiet,
                resume=resume,
                overwrite=overwrite,
                command_line=sys.argv,
                say=say,
                progress=progress,
            )
    except BaseException as error:
        if not interruption.received:
            raise
        if os.path.exists(os.path.join(run, "config.toml")):
            click.echo(
                "continue with: keras-isample fit --run "
                f"{shlex.quote(str(run))} --resume",
                err=True,
            )
        raise KeyboardInterrupt from error
    click.echo(f"{result.path} best validation Dice {_shown(result)}")


def _shown(result):
    """The best validation Dice of a `FitResult`."""
    if result.best_dice is not None:
        return f"{result.best_dice:.4f}"
    if result.best_estimate is not None:
        return f"{result.best_estimate:.4f} (estimated)"
    return "not validated"


def _train(config, run, quiet, **options):
    """One run; see `training.fit`."""
    with loading_keras():
        from keras.callbacks import LambdaCallback

        from keras_isample.callbacks.progress import ProgressReport
        from keras_isample.training.run import fit as train

    callbacks = [LambdaCallback(on_train_batch_end=interruption.check)]
    if not quiet:
        callbacks.append(ProgressReport())
    return train(config, run, callbacks=callbacks, **options)


def _find_rate(config, run, quiet, **options):
    """A population; see `training.AutoLR`."""
    with loading_keras():
        from keras_isample.training.autolr import AutoLR
        from keras_isample.training.population_progress import (
            PopulationProgress,
        )

    with PopulationProgress() as shown:

        def on_progress(members):
            interruption.check()
            if not quiet:
                shown(members)

        return AutoLR(config).fit(run, on_progress=on_progress, **options)
