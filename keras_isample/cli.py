"""The command line: parse, call, report. Keras is imported by the commands."""

import json
import logging
import os
import shlex
import signal
import sys
import time
from dataclasses import fields

import click

from keras_isample.commands.quiet_import import quiet_import
from keras_isample.config import GROUPS
from keras_isample.config import PRESETS
from keras_isample.config import Config
from keras_isample.config import parse_bytes
from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.version import __version__

_DATA_HELP = (
    "DATA is a folder in VISCERAL, nnU-Net v2 raw or images/ + labels/ layout, "
    "with NIfTI, MGH, PNG or NPY files; which one is recognized."
)
_POSTPROCESSING = ("largest-component", "none")


class _Interruption:
    """Ctrl-C and SIGTERM, remembered until the next step.

    The exception is raised at once, wherever that is; amid TensorFlow it may
    get lost in a finalizer, or come out as another error.
    """

    def __init__(self):
        self.received = False

    def __call__(self, number, frame):
        self.received = True
        raise KeyboardInterrupt

    def check(self, *_, **__):
        if self.received:
            raise KeyboardInterrupt


_interruption = _Interruption()


class _Group(click.Group):
    """Shows bad input as one line and leaves with the promised codes."""

    def main(self, *args, **kwargs):
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Exit as error:
            code = error.exit_code
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            _complain(" ".join(error.format_message().split()))
            code = 2
        except InputError as error:
            _complain(str(error))
            code = 2
        except (KeyboardInterrupt, click.Abort):
            click.echo("keras-isample: stopped", err=True)
            code = 130
        except BrokenPipeError:
            # Whoever reads our output has gone; nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except OSError as error:
            if error.filename is None:
                raise
            reason = error.strerror or type(error).__name__
            cure = "Check the disk, the rights and the path"
            _complain(f"{error.filename}: {reason}. {cure}.")
            code = 2
        except Exception:
            if not _interruption.received:
                raise
            click.echo("keras-isample: stopped", err=True)
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


def _complain(text):
    click.echo(f"keras-isample: error: {text}", err=True)


def _quietly():
    return quiet_import(not logging.getLogger().isEnabledFor(logging.INFO))


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Not a medical device.",
)
@click.version_option(__version__, prog_name="keras-isample")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
def main(verbose):
    """Segments large, sparse medical scans with Keras 3.

    Patches are drawn where the network is still wrong (isample); whole scans
    are predicted exactly and within bounded memory.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(
        format="keras-isample: %(message)s",
        level=logging.INFO if verbose else logging.WARNING,
    )
    if not verbose:
        # Remarks on how often functions are traced.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interruption)


class _Rate(click.ParamType):
    """A number, or `auto`."""

    name = "number|auto"

    def convert(self, value, param, ctx):
        if value == "auto":
            return value
        return click.FLOAT.convert(value, param, ctx)


class _Size(click.ParamType):
    """A whole number, or `auto` or `full`."""

    name = "number|auto|full"

    def convert(self, value, param, ctx):
        if value in ("auto", "full"):
            return value
        return click.INT.convert(value, param, ctx)


_KINDS = {
    "str": str,
    "int": int,
    "int | str": _Size(),
    "float": float,
    "bool": bool,
    "float | str": _Rate(),
}


def _fit_options(command):
    """Adds one option for each setting of `config`."""
    for group in reversed(GROUPS.values()):
        for entry in reversed(fields(group)):
            name = "--" + entry.name.replace("_", "-")
            if entry.type == "bool":
                name += f"/--no-{entry.name.replace('_', '-')}"
            choices = entry.metadata["choices"]
            shown = (
                f" [default: {entry.default}]" if entry.default != "" else ""
            )
            command = click.option(
                name,
                entry.name,
                type=click.Choice(choices) if choices else _KINDS[entry.type],
                default=None,
                help=entry.metadata["help"] + shown,
            )(command)
    return command


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--kind",
    type=click.Choice(["ct", "cardiac", "brain"]),
    default="ct",
    show_default=True,
)
@click.option("--cases", type=int, help="By default 12; cardiac 200, brain 50.")
@click.option(
    "--shape",
    default=None,
    help="Voxels to the right, to the front and to the head (by default "
    "160,160,160; brain 96,96,96); of cardiac slices width,height (96,96).",
)
@click.option(
    "--spacing", default=None, help="mm; by default the body fits the shape."
)
@click.option(
    "--layout",
    type=click.Choice(["visceral", "nnunet"]),
    default=None,
    help="Of CT; by default visceral.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an older phantom.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def phantom(
    directory, kind, cases, shape, spacing, layout, seed, overwrite, quiet
):
    """Writes a synthetic data set to DIR.

    ct: body, spine, lungs, liver, spleen, kidneys (about 0.3 % of the voxels),
    an aorta, vessels and bowel of kidney-like intensity, noise.

    cardiac: short-axis MR slices with both ventricles and myocardium, as PNG
    files, with a split.

    brain: T1-like MR with 27 structures; DIR/auto with biased labels to
    pre-train, DIR/manual with true ones to fine-tune and test.

    The anatomy varies from case to case.
    """
    from keras_isample.data.phantom_kinds import write_phantom_of_kind

    axes = 2 if kind == "cardiac" else 3
    with _progress("drawing scans", quiet) as progress:
        write_phantom_of_kind(
            directory,
            kind,
            cases=cases,
            shape=None if shape is None else _integers("--shape", shape, axes),
            spacing=None if spacing is None else _floats("--spacing", spacing),
            layout=layout,
            seed=seed,
            progress=progress,
            overwrite=overwrite,
        )
    click.echo(directory)


@main.command()
@click.argument("data", type=click.Path())
@click.option("--labels", default="", help="Structures, as in fit.")
@click.option("--modality", default="CTce_ThAb", show_default=True)
@click.option(
    "--intensity",
    type=click.Choice(["ct", "zscore"]),
    default="ct",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def inspect(data, labels, modality, intensity, as_json, quiet):
    """Reads every case of DATA and reports everything that is wrong.

    One row a case: shape, spacing, orientation, intensities, share of each
    label; exit code 2 if any case cannot be trained on.
    """
    from keras_isample.data.cohort import read_cohort
    from keras_isample.data.inspection import format_report
    from keras_isample.data.inspection import inspect_cohort
    from keras_isample.data.inspection import report_as_json

    names = [name.strip() for name in labels.split(",") if name.strip()]
    cohort = read_cohort(
        data, names or None, modality=modality, intensity=intensity
    )
    click.echo(cohort.describe(), err=as_json)
    with _progress("reading scans", quiet) as progress:
        reports = inspect_cohort(cohort, progress=progress)
    if as_json:
        click.echo(json.dumps(report_as_json(reports), indent=1))
    else:
        click.echo(format_report(reports, cohort))
    return 0 if all(report.trainable for report in reports) else 2


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
@_fit_options
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
        config = _resumed_config(run, config_file, preset, data_path, chosen)
    else:
        settings = dict(PRESETS[preset]) if preset else {}
        if config_file:
            from_file, path_in_file = read_settings(config_file)
            settings |= from_file
            data_path = data_path or path_in_file
        settings |= chosen
        if data_path is None:
            settings.setdefault("labels", "kidney")
            # Drawing takes its time; wrong settings are refused before.
            Config.from_settings("", settings)
            data_path = _built_in_phantom(quiet)
        for name in ("cache", "init_from"):
            if settings.get(name):
                settings[name] = os.path.abspath(settings[name])
        config = Config.from_settings(os.path.abspath(data_path), settings)
        name = os.path.basename(os.path.normpath(data_path))
        run = run or os.path.join("runs", f"{name}-{started}")
    _check_data(config)
    if config.network.init_from and not resume:
        _check_inputs(config.network.init_from, [])

    def say(text):
        if not quiet:
            click.echo(text, err=True)

    train = _find_rate if config.optimizer.is_auto else _train
    try:
        with _progress("preparing scans", quiet) as progress:
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
        if not _interruption.received:
            raise
        if os.path.exists(os.path.join(run, "config.toml")):
            click.echo(
                "continue with: keras-isample fit --run "
                f"{shlex.quote(str(run))} --resume",
                err=True,
            )
        raise KeyboardInterrupt from error
    best = result.best_dice
    dice = "not validated" if best is None else f"{best:.4f}"
    click.echo(f"{result.path} best validation Dice {dice}")


@main.command()
@click.argument("run", type=click.Path())
@click.argument("inputs", nargs=-1, required=True, type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder.")
@click.option("--probabilities", is_flag=True, help="Write them too.")
@click.option(
    "--postprocess",
    type=click.Choice(_POSTPROCESSING),
    default="largest-component",
    show_default=True,
)
@click.option(
    "--tile-memory",
    default="auto",
    show_default=True,
    help="Of one tile; auto: 8GB for 3D U-Nets, else 1GB.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def predict(
    run, inputs, out, probabilities, postprocess, tile_memory, overwrite, quiet
):
    """Segments scans: RUN is a run folder or a .keras file.

    INPUTS are scans, folders of scans or data sets. Label maps have the grid
    of their input and are written to --out, with names and colors for 3D
    Slicer and ITK-SNAP.
    """
    size = _tile_bytes(tile_memory)
    _check_inputs(run, inputs)
    with _quietly():
        from keras_isample.commands.predict import predict as run_prediction

    with _progress("segmenting", quiet) as progress:
        run_prediction(
            run,
            inputs,
            out,
            tile_memory=size,
            probabilities=probabilities,
            postprocess=postprocess,
            overwrite=overwrite,
            say=click.echo,
            progress=progress,
        )


@main.command()
@click.argument("run", required=False, type=click.Path())
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="all: with --data only.",
)
@click.option(
    "--data",
    type=click.Path(),
    help="Another data set with the same structures as RUN's.",
)
@click.option("--reference", type=click.Path(), help="Folder of label maps.")
@click.option("--prediction", type=click.Path(), help="Folder of label maps.")
@click.option(
    "--postprocess",
    type=click.Choice(_POSTPROCESSING),
    default="largest-component",
    show_default=True,
)
@click.option(
    "--sides",
    is_flag=True,
    help="Left and right of merged structures apart, too.",
)
@click.option(
    "--tile-memory",
    default="auto",
    show_default=True,
    help="Of one tile; auto: 8GB for 3D U-Nets, else 1GB.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def evaluate(
    run,
    split,
    data,
    reference,
    prediction,
    postprocess,
    sides,
    tile_memory,
    overwrite,
    quiet,
):
    """Metrics of RUN's predictions, or of one folder against another.

    Dice, IoU, HD95, ASSD, NSD and volumes per case and structure, on the
    input grid; means with bootstrap confidence intervals.
    """
    folders = [reference, prediction]
    if bool(run) == any(folders) or any(folders) != all(folders):
        raise InputError(
            "evaluate",
            "needs either RUN or both --reference and --prediction",
            "Give one of the two",
        )
    if data and not run:
        raise InputError("--data", "needs RUN", "Name the run to evaluate")
    if split == "all" and not data:
        raise InputError(
            "--split",
            "is all, which mixes a run's training and test cases",
            "Choose one of them, or give another data set with --data",
        )
    if sides and not run:
        raise InputError(
            "--sides",
            "needs RUN, which knows what its classes merge",
            "Leave it away",
        )
    size = _tile_bytes(tile_memory)
    if run:
        _check_inputs(run, [data] if data else [])
    else:
        _check_inputs(reference, [prediction])
    with _quietly():
        from keras_isample.commands.evaluate import evaluate_folders
        from keras_isample.commands.evaluate import evaluate_run
        from keras_isample.metrics.summary import format_table

    if run:
        with _progress("evaluating", quiet) as progress:
            summary, path = evaluate_run(
                run,
                split,
                data=data,
                tile_memory=size,
                postprocess=postprocess,
                sides=sides,
                overwrite=overwrite,
                progress=progress,
            )
    else:
        summary, path = evaluate_folders(
            reference, prediction, overwrite=overwrite
        )
    click.echo(format_table(summary))
    if "sides" in summary:
        click.echo(format_table(summary["sides"]))
    click.echo(path)


_MAY_CHANGE = (
    "epochs",
    "executor",
    "gpus_per_member",
    "ray_address",
    "max_restarts",
)
"""Settings that do not change what is trained, and the length."""


def _train(config, run, quiet, **options):
    """One run; see `training.fit`."""
    with _quietly():
        from keras.callbacks import LambdaCallback

        from keras_isample.callbacks.progress import ProgressReport
        from keras_isample.training.run import fit as train

    callbacks = [LambdaCallback(on_train_batch_end=_interruption.check)]
    if not quiet:
        callbacks.append(ProgressReport())
    return train(config, run, callbacks=callbacks, **options)


def _find_rate(config, run, quiet, **options):
    """A population; see `training.AutoLR`."""
    with _quietly():
        from keras_isample.training.autolr import AutoLR
        from keras_isample.training.population_progress import (
            PopulationProgress,
        )

    with PopulationProgress() as shown:

        def on_progress(members):
            _interruption.check()
            if not quiet:
                shown(members)

        return AutoLR(config).fit(run, on_progress=on_progress, **options)


def _resumed_config(run, config_file, preset, data_path, chosen):
    if not run:
        raise InputError("--resume", "needs --run", "Name the run to continue")
    if config_file or preset or data_path:
        raise InputError(
            "--resume",
            "takes its settings from the run",
            "Leave --config, --preset and --data away",
        )
    _check_inputs(run, [])
    with _quietly():
        from keras_isample.training.run_folder import RunFolder
    config = RunFolder(run).config()
    settings = config.settings()
    changed = [
        key
        for key, value in chosen.items()
        if settings[key] != value and key not in _MAY_CHANGE
    ]
    if changed:
        name = changed[0]
        raise InputError(
            "--" + name.replace("_", "-"),
            f"is {settings[name]!r} in {run}",
            "Only --epochs and where members train may change with --resume",
        )
    return Config.from_settings(config.data_path, settings | chosen)


def _built_in_phantom(quiet):
    """The default data set, drawn once and kept in the cache."""
    from keras_isample.data.cache import default_cache
    from keras_isample.data.phantom import write_phantom

    path = default_cache() / "phantom"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _progress("drawing scans", quiet) as progress:
            write_phantom(path, progress=progress)
    return path


def _tile_bytes(text):
    return None if text == "auto" else parse_bytes("--tile-memory", text)


def _check_data(config):
    """Refuses a data set that is not there before Keras is loaded."""
    if not os.path.exists(config.data_path):
        raise InputError(
            config.data_path, "does not exist", "Give a data set with --data"
        )


def _check_inputs(first, others):
    for path in (first, *others):
        if not os.path.exists(path):
            raise InputError(path, "does not exist", "Check the path")


def _integers(option, text, count):
    return _parse(option, text, int, ",".join(["96"] * count), count)


def _floats(option, text):
    return _parse(option, text, float, "1,1,1.5", 3)


def _parse(option, text, kind, example, count):
    try:
        values = tuple(kind(part) for part in text.split(","))
        if len(values) != count:
            raise ValueError
    except ValueError:
        raise InputError(
            option,
            f"expects {count} numbers, got {text!r}",
            f"Write them like {example}",
        ) from None
    return values


class _progress:
    """A bar on a terminal, nothing elsewhere; gives `f(done, total)`.

    Between two cases a forgotten interruption is noticed.
    """

    def __init__(self, title, quiet):
        self.title = title
        self.shown = not quiet and sys.stderr.isatty()
        self.bar = self.task = None

    def __enter__(self):
        return self._update if self.shown else _interruption.check

    def _update(self, done, total):
        _interruption.check()
        if self.bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.title, total=total)
            self.bar.start()
        self.bar.update(self.task, completed=done)
        if done >= total:
            self.bar.stop()

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.stop()
