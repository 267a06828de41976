"""What grows with the number of cases and with their size, and what does not.

No rival, but limits: with a warm cache of prepared scans, 1,200 cases start
training within 30 s, an epoch takes as long with 1,200 cases as with 8, and a
scan of 512 x 512 x 700 with 15 classes is segmented within 4 GB. Every figure
is of a process of its own, started cold: seconds from its start, and its
largest resident memory. Mapped files count as well, though the system may take
that memory back at any time; "own GB" is while training and without them.

`--shares 512x512x700` is a third table: 16 scans of that size at 1 x 1 x 1.5 mm
and 2 to validate with are trained on with the settings that `fit` has by
default, its 50 epochs of 100 steps included. A few epochs of such a run and one
validation of all scans are timed, and the shares that error maps and validation
have of the whole run follow: "seen" stands beside what was planned, counted in
multiplications. Phantoms are drawn once and kept in the folder: 28 GB with
their prepared copies.

About 15 minutes on two cores with the defaults, which use a narrow network: it
is the quicker one, and memory for tiles is bounded at any width. `--width 1` is
the network of the papers. `--tile-memory` is what `predict` chooses where there
are 4 GB of memory; with more it takes more. `--quick` runs everything in small.

To expect on two shared cores (AVX-512, November 2026): 3.7 s until the first
step begins with 8 cases and 5 s with 1,200 (the clock now stops at its end, a
compilation later); an epoch of 9.4 and 9.4 to 10.1 core
seconds; 22 and 391 open files. 512 x 512 x 700 at width 0.1: 2.2 GB and 74 s,
at a training spacing of 1 x 1 x 1.5 mm 2.5 GB and 46 s. The network of the
papers (`--cases "" --sizes 512x512x700 --width 1`): 3.5 GB and 7 minutes, 3.6
GB and 2.5 minutes; training on such scans 4.0 GB, mapped files included.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

ERROR_MAP_CASES = 4
DRAWN = 4
"""Distinct scans; the others differ from one of them in one voxel."""
SCANNED_AT = 0.8
"""mm per voxel of the scans that are predicted."""
SPACINGS = ("native", "1,1,1.5")
SHARED_AT = (1.0, 1.0, 1.5)
"""mm per voxel of the scans of the third table."""


@click.group(invoke_without_command=True)
@click.option("--cases", default="8,64,1200", show_default=True)
@click.option("--side", default=64, help="Voxels along each of these cases.")
@click.option(
    "--sizes",
    default="96x96x96,192x192x192,512x512x700",
    show_default=True,
    help="Shapes of the scans for the second table.",
)
@click.option(
    "--shares", default="", help="Shape of the scans for the third table."
)
@click.option("--scans", default=16, help="To train on, for the third table.")
@click.option(
    "--timed-epochs",
    default=3,
    show_default=True,
    help="Of the run of the third table.",
)
@click.option("--sample-from", default="refreshed", show_default=True)
@click.option(
    "--sampling",
    default="isample",
    show_default=True,
    help="For the first table.",
)
@click.option("--width", default=0.2, show_default=True)
@click.option("--steps", default=20, show_default=True, help="Per epoch.")
@click.option("--batch-size", default=12, show_default=True)
@click.option("--tile-memory", default="1GB", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Kept if told.")
@click.option("--quick", is_flag=True, help="A minute, to see that it works.")
@click.pass_context
def main(
    context, cases, sizes, shares, scans, timed_epochs, folder, quick, **options
):
    """Measures start-up, epochs and memory; see the top of the file."""
    if context.invoked_subcommand:
        return
    if quick:
        cases, sizes, options["side"] = "4,8", "32x32x32,48x40x36", 32
        options |= {"steps": 2, "batch_size": 2, "width": 0.1}
        shares, scans = "40x36x32", 3
    with tempfile.TemporaryDirectory() as temporary:
        folder = (folder or Path(temporary)).absolute()
        numbers = [int(n) for n in cases.split(",") if n]
        shapes = [tuple(map(int, s.split("x"))) for s in sizes.split(",") if s]
        if numbers:
            rows = [_measure_number(folder, n, options) for n in numbers]
            _show("cases", numbers, rows)
        if shapes:
            rows = [_measure_size(folder, s, options) for s in shapes]
            _show("size", ["x".join(map(str, s)) for s in shapes], rows)
        if shares:
            shape = tuple(map(int, shares.split("x")))
            own = {}
            if quick:
                own = {"steps_per_epoch": 2, "batch_size": 2, "width": 0.1}
            row = _measure_shares(
                folder, shape, scans, timed_epochs, own, options
            )
            _show("shares", [shares], [row])


def _measure_number(folder, number, options):
    """Trains on many small cases, twice: the second time is measured."""
    data = folder / f"{number}-cases"
    if not data.exists():
        _write_cases(data, number, (options["side"],) * 3)
    settings = {
        "spacing": "native",
        "split": f"{number - 2},2,0",
        "error_map_cases": str(ERROR_MAP_CASES),
        "error_map_share": "none",
        "sample_from": options["sample_from"],
        "sampling": options["sampling"],
    }
    return _measure_fit(folder, data, settings, options)


def _measure_size(folder, shape, options):
    """Trains on two scans and predicts one."""
    data = folder / "x".join(map(str, shape))
    if not data.exists():
        _write_cases(data, 2, shape)
    settings = {"spacing": "native", "split": "2,0,0"}
    row = _measure_fit(folder, data, settings, options)
    row = {f"fit {key}": value for key, value in row.items()}
    scan = data / "images" / "scan0000.nii"
    for spacing in SPACINGS:
        result = _child(
            "predict-once",
            str(scan),
            str(data / f"predicted-{spacing}"),
            spacing,
            str(options["width"]),
            options["tile_memory"],
        )
        row |= {f"{spacing} {key}": value for key, value in result.items()}
    return row


def _measure_shares(folder, shape, scans, timed, own, options):
    """Times a part of a run on scans as by default, and what has which share.

    Args:
        folder: Where scans are kept.
        shape: Their voxels.
        scans: How many there are to train on.
        timed: Epochs that are timed.
        own: Settings that are not the defaults.
        options: Those of the command line.
    """
    data = folder / ("shares-" + "x".join(map(str, shape)))
    if not data.exists():
        _write_cases(data, scans + 2, shape, SHARED_AT)
    settings = {
        "cache": str(folder / "cache"),
        "tile_memory": options["tile_memory"],
        "split": f"{scans},2,0",
        **own,
    }
    text = json.dumps(settings)
    row = _child("prepare", str(data), text)
    row |= _child("share-once", str(data), text, str(timed))
    once = {"validate_every": 1, "epochs": 1, "steps_per_epoch": 1}
    text = json.dumps({**settings, **once, "sampling": "uniform"})
    validated = _child("fit-once", str(data), text)
    row |= _shares_of_a_run(row.pop("plan"), row, validated["validation s"])
    return {f"shares {key}": value for key, value in row.items()}


def _shares_of_a_run(plan, row, validation):
    """Shares of a run of full length, from the times of its parts.

    Args:
        plan: What the run's manifest says.
        row: Seconds of an epoch's training and error maps.
        validation: Seconds of one validation of whole scans.
    """
    sums = {
        "training": plan["epochs"] * row["training s"],
        "error_maps": plan["epochs"] * row["error_maps s"],
        # An estimate takes a part of that.
        "validation": validation * plan["validation"],
    }
    total = sum(sums.values())
    return {
        "whole validation s": validation,
        "run of full length h": total / 3600,
        **{f"{part} seen %": 100 * s / total for part, s in sums.items()},
    }


def _measure_fit(folder, data, settings, options):
    settings |= {
        "cache": str(folder / "cache"),
        "width": options["width"],
        "tile_memory": options["tile_memory"],
        "batch_size": options["batch_size"],
        "steps_per_epoch": options["steps"],
        "epochs": 4,
        "warmup_epochs": 0,
    }
    text = json.dumps(settings)
    cold = _child("prepare", str(data), text)
    warm = _child("fit-once", str(data), text)
    return cold | warm


def _child(*arguments):
    """Runs a command of this file in a process of its own."""
    started = time.clock_gettime(time.CLOCK_MONOTONIC)
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        env={**os.environ, "SCALING_STARTED": str(started)},
        text=True,
    )
    if done.returncode:
        raise click.ClickException(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _since_start():
    started = float(os.environ["SCALING_STARTED"])
    return time.clock_gettime(time.CLOCK_MONOTONIC) - started


def _clocks():
    return time.monotonic(), time.process_time()


def _memory_gb(entry="VmHWM"):
    """Resident memory of this process, by default the largest so far."""
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    line = next(s for s in status.splitlines() if s.startswith(entry))
    return int(line.split()[1]) * 1024 / 1e9


@main.command(hidden=True)
@click.argument("data")
@click.argument("settings")
def prepare(data, settings):
    """Prepares the scans of a data set."""
    from keras_isample.config import Config
    from keras_isample.data.preparation import prepare_cohort
    from keras_isample.training.run_data import open_cohort

    prepare_cohort(
        open_cohort(Config.from_settings(data, json.loads(settings)))
    )
    row = {"prepare s": _since_start(), "prepare GB": _memory_gb()}
    click.echo(json.dumps(row))


@main.command(hidden=True)
@click.argument("data")
@click.argument("settings")
def fit_once(data, settings):
    """Trains and tells when the first step began and how long epochs took."""
    from keras.callbacks import Callback

    from keras_isample.config import Config
    from keras_isample.training.run import fit

    class Clock(Callback):
        first_step = None
        memory = files = own = 0
        epochs = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.epochs = (*self.epochs, _clocks())

        def on_train_batch_end(self, batch, logs=None):
            if self.first_step is None:
                self.first_step, self.memory = _since_start(), _memory_gb()
            self.files = max(self.files, len(os.listdir("/proc/self/fd")))
            self.own = max(self.own, _memory_gb("RssAnon"))

        def on_train_end(self, logs=None):
            self.epochs = (*self.epochs, _clocks())

    clock = Clock()
    config = Config.from_settings(data, json.loads(settings))
    with tempfile.TemporaryDirectory() as run:
        result = fit(config, Path(run) / "run", callbacks=[clock])
    seconds, cores = np.diff(clock.epochs, axis=0).T
    # The first epoch compiles; the second follows the first error maps.
    steady = result.rows[2:] or result.rows
    row = {
        "start s": clock.first_step,
        "start GB": clock.memory,
        "first epoch s": seconds[0],
        "epoch s": float(np.median(seconds[-len(steady) :])),
        # Less disturbed by whatever else the machine does.
        "epoch core s": float(np.median(cores[-len(steady) :])),
    }
    for part in ("training", "error_maps", "validation"):
        values = [r.get(f"seconds_{part}", 0.0) for r in steady]
        row[f"{part} s"] = float(np.median(values))
    row |= {"files": clock.files, "own GB": clock.own, "GB": _memory_gb()}
    click.echo(json.dumps(row))


@main.command(hidden=True)
@click.argument("data")
@click.argument("settings")
@click.argument("timed", type=int)
def share_once(data, settings, timed):
    """Trains a few epochs of a run, and tells what was planned for all."""
    from keras.callbacks import Callback

    from keras_isample.config import Config
    from keras_isample.training.history import read_history
    from keras_isample.training.run import fit
    from keras_isample.training.run_folder import RunFolder
    from keras_isample.training.validation import planned_validation

    class Enough(Exception):
        pass

    class Clock(Callback):
        own = 0

        def on_epoch_begin(self, epoch, logs=None):
            if epoch > timed:
                raise Enough

        def on_train_batch_end(self, batch, logs=None):
            self.own = max(self.own, _memory_gb("RssAnon"))

    config = Config.from_settings(data, json.loads(settings))
    clock = Clock()
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary) / "run")
        with contextlib.suppress(Enough):
            fit(config, folder.path, callbacks=[clock])
        # The first epoch compiles.
        rows = read_history(folder.history_file)[1:]
        shares = folder.manifest()["planned_shares"]
        plan = planned_validation(folder)
    row = {
        f"{part} s": float(np.median([r[f"seconds_{part}"] for r in rows]))
        for part in ("training", "error_maps")
    }
    row |= {f"{part} planned %": 100 * s for part, s in shares.items()}
    row |= {"own GB": clock.own, "GB": _memory_gb()}
    epochs = config.training.epochs
    row["plan"] = {
        "epochs": epochs,
        # In validations of whole scans.
        "validation": plan.total(epochs) / plan.whole,
    }
    click.echo(json.dumps(row))


@main.command(hidden=True)
@click.argument("scan")
@click.argument("out")
@click.argument("spacing")
@click.argument("width", type=float)
@click.argument("tile_memory")
def predict_once(scan, out, spacing, width, tile_memory):
    """Segments a scan, from its file to the file of the label map."""
    from keras_isample.commands.predict import predict
    from keras_isample.config import DataConfig
    from keras_isample.config import TrainingConfig
    from keras_isample.data.preprocessing import Preprocessing
    from keras_isample.models import dual_path_resnet

    facts = Preprocessing(spacing=DataConfig(spacing=spacing).spacing_mm)
    model = dual_path_resnet(15, width=width)
    model.metadata["preprocessing"] = facts.as_metadata()
    Path(out).mkdir(parents=True, exist_ok=True)
    file = Path(out) / "model.keras"
    model.save(file)
    started = time.monotonic()
    predict(
        file,
        [scan],
        out,
        tile_memory=TrainingConfig(tile_memory=tile_memory).tile_bytes,
        overwrite=True,
    )
    row = {"predict s": time.monotonic() - started, "predict GB": _memory_gb()}
    click.echo(json.dumps(row))


def _write_cases(data, number, shape, spacing=(SCANNED_AT,) * 3):
    """Writes scans in images/ + labels/ layout, each with its own content."""
    from keras_isample.data.phantom_trunk import STRUCTURES
    from keras_isample.volumes.volume import Volume
    from keras_isample.volumes.writing import write_volume

    for folder in ("images", "labels"):
        (data / folder).mkdir(parents=True)
    affine = np.diag([*spacing, 1])
    drawn = min(number, DRAWN)
    for index in range(number):
        name = f"scan{index:04d}.nii"
        image_file, label_file = data / "images" / name, data / "labels" / name
        like = f"scan{index % drawn:04d}.nii"
        if index < drawn:
            image, label_map = _draw(shape, index)
            write_volume(image_file, Volume(image, affine))
            write_volume(label_file, Volume(label_map, affine))
            continue
        content = bytearray((data / "images" / like).read_bytes())
        # The last voxel of an int16 image.
        content[-2:] = np.int16(index).tobytes()
        image_file.write_bytes(content)
        os.link(data / "labels" / like, label_file)
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0}}
    content["labels"] |= STRUCTURES
    (data / "dataset.json").write_text(json.dumps(content))


def _draw(shape, seed):
    """A phantom drawn on a grid four times coarser, with noise of its own."""
    from keras_isample.data.phantom import draw_case

    coarse = [-(-n // 4) for n in shape]
    # The trunk fills the scan, whatever its size.
    spacing = [400 / n for n in coarse]
    image, label_map = draw_case(shape=coarse, spacing=spacing, seed=seed)
    inside = tuple(slice(0, n) for n in shape)
    for axis in range(3):
        image = np.repeat(image, 4, axis=axis)
        label_map = np.repeat(label_map, 4, axis=axis)
    image = np.ascontiguousarray(image[inside])
    rng = np.random.default_rng(seed)
    for row in image:
        row += rng.integers(-20, 21, row.shape, np.int16)
    return image, np.ascontiguousarray(label_map[inside])


def _show(title, names, rows):
    """Prints one column per measurement, and the last divided by the first."""
    click.echo("")
    heads = [title, *map(str, names), "last / first"]
    click.echo("".join(f"{head:>18}" for head in heads))
    for key in rows[0]:
        values = [row[key] for row in rows]
        ratio = values[-1] / values[0] if values[0] else float("nan")
        cells = [key, *(f"{value:.2f}" for value in values), f"{ratio:.2f}"]
        click.echo("".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
