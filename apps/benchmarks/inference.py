"""Whole-scan inference beside its own convolutions and MONAI's sliding window.

The full dual-path network (649,251 parameters, 11 classes, random weights)
predicts a scan of 256 x 256 x 160 noise voxels at training spacing. Beside it:

- `bare convolutions`: every convolution of the network alone, without bias,
  at the shapes of one pass over the whole scan, so without any voxel computed
  twice; the best of several runs each, summed. A convolution whose maps exceed
  2 GiB runs on a part of the rows and counts for all of them. `fc1 split` is
  the same where `fc1` acts on the low-resolution maps before they are repeated,
  as the package does: fewer multiplications.
- `MONAI sliding window`: `sliding_window_inference` at overlap 0.25 with the
  same weights in torch (channels_last_3d, glibc told to keep freed memory),
  its window tuned, one at a time. The network pads each window with zeros for
  both paths, so that its output has the window's size.

Each row runs in a process of its own, whose peak memory is shown, with Python
and the libraries. Needs the `benchmarks` extra for the last row, and for it 16
GB of memory. 9 to 15 minutes on two cores.

On two shared AVX-512 cores (November 2026, `--tile-memory 3 --windows
104x104x160 --repeat 3`):

                           float32                   bfloat16
    bare                    19.2 s                    9.5 s
    keras-isample                   1.16 x           11.4 s, 1.20 x  3.3 GB
    MONAI, 104x104x160      47.7 s, 2.5 x    12 GB   31.3 s, 3.3 x   6.0 GB

Our factor in float32 is of another day, when MONAI with 56x56x160, which takes
5.1 and 2.4 GB, was slower by a third than with the best window. MONAI with
96^3, by its tuning: 4.9 and 8.1 times the bare convolutions. Windows of
148x104x160 need 22 GB in float32 and projected 75 s, in bfloat16 31 or 42 s in
two runs.

On two AMD Zen 3 cores (AVX2) in float32, in a process each: 64.2 s on the first
scan and 63.9 on the second with tiles of 1 GiB; with `--tile-memory 3` 56.2 and
57.1 s.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

CLASSES = 11
PATCH = 8
ROW_BYTES = 2 << 30
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 34),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


@click.command()
@click.option("--shape", default="256,256,160", show_default=True)
@click.option("--dtype", default="float32,bfloat16", show_default=True)
@click.option(
    "--tile-memory",
    type=float,
    help="In GB; by default what `predict` takes on this machine.",
)
@click.option(
    "--windows",
    default="96,128,104x104x160",
    show_default=True,
    help="MONAI's to choose from: voxels, one number or three.",
)
@click.option("--repeat", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="A scan of 48 x 40 x 32 voxels.")
@click.option("--part", hidden=True)
@click.option("--folder", type=Path, hidden=True)
def main(shape, dtype, tile_memory, windows, repeat, quick, part, folder):
    """Measures whole-scan inference; prints times, ratios and peak memory."""
    if quick:
        shape, dtype, windows, repeat = "48,40,32", "float32", "32", 1
    shape = [int(n) for n in shape.split(",")]
    sizes = [[int(n) for n in w.split("x")] for w in windows.split(",")]
    if any(len(size) not in (1, 3) for size in sizes):
        raise click.BadParameter("has a window of neither one nor three sides")
    sizes = [size * 3 if len(size) == 1 else size for size in sizes]
    if part:
        if part not in ("tuning", "monai"):
            # Before TensorFlow, which it tells to use oneDNN.
            import keras_isample  # noqa: F401
        parts = {
            "prepare": lambda: prepare(folder, shape),
            "limit": lambda: limit(folder, shape, dtype, repeat),
            "tiles": lambda: tiles(folder, dtype, tile_memory, repeat),
            "tuning": lambda: tune(folder, dtype, sizes),
            "monai": lambda: monai(folder, dtype, sizes[0], repeat),
        }
        result = parts[part]() or {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result["peak_gb"] = peak * 1024 / 1e9
        (folder / f"{part}.json").write_text(json.dumps(result))
        return
    from keras_isample.processor import describe_processor

    click.echo(describe_processor())
    options = {
        "--shape": ",".join(map(str, shape)),
        "--windows": windows,
        "--repeat": str(repeat),
    }
    if tile_memory is not None:
        options["--tile-memory"] = str(tile_memory)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("prepare", folder, "float32", options)
        for kind in dtype.split(","):
            report(
                kind,
                run("limit", folder, kind, options),
                run("tiles", folder, kind, options),
                rival(folder, kind, options),
            )


def rival(folder, dtype, options):
    """What MONAI reaches with its best window, or why nothing is known."""
    try:
        tuned = run("tuning", folder, dtype, options)
        if "skipped" in tuned:
            return tuned
        # In a process of its own, without the memory of the other windows.
        best = min(tuned["estimates"], key=tuned["estimates"].get)
        found = run("monai", folder, dtype, {**options, "--windows": best})
        return {**tuned, **found}
    except OutOfMemory as error:
        return {"skipped": f"MONAI sliding window: {error}"}


class OutOfMemory(click.ClickException):
    """A part was killed, as the system does when memory is short."""


def run(part, folder, dtype, options):
    """Result of a part, computed in a process of its own."""
    arguments = [x for pair in options.items() for x in pair]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if part in ("tuning", "monai"):
        environment.update(KEEP_MEMORY)
    done = subprocess.run(
        [
            *(sys.executable, __file__, "--part", part, "--dtype", dtype),
            *("--folder", str(folder), *arguments),
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode == -signal.SIGKILL:
        raise OutOfMemory(
            f"{part} was killed; choose smaller --windows than "
            f"{options['--windows']} if memory is short"
        )
    if done.returncode:
        raise click.ClickException(f"{part}: {done.stderr[-2000:]}")
    return json.loads((folder / f"{part}.json").read_text())


def report(dtype, limit, tiles, monai):
    """Prints the rows of one data type."""
    click.echo(f"\n{dtype:24}  seconds  x bare  x ours  peak GB")
    rows = [
        ("bare convolutions", limit["seconds"], limit["peak_gb"]),
        ("  fc1 split", limit["split_seconds"], limit["peak_gb"]),
        ("keras-isample", tiles["seconds"], tiles["peak_tiles"]),
    ]
    if "seconds" in monai:
        name = f"MONAI, {'x'.join(map(str, monai['window']))}"
        rows.append((name, monai["seconds"], monai["peak_gb"]))
    for name, seconds, peak in rows:
        click.echo(
            f"{name:24}  {seconds:7.2f}  {seconds / limit['seconds']:6.2f}  "
            f"{seconds / tiles['seconds']:6.2f}  {peak:7.2f}"
        )
    click.echo(
        "keras-isample against one pass over the middle of the scan: "
        f"probabilities differ by at most {tiles['difference']:.1e}"
    )
    click.echo(
        f"its first run, which traces: {tiles['first']:.2f} s, "
        f"{tiles['first'] / limit['seconds']:.2f} times the bare convolutions; "
        f"tiles of {tiles['tile_gb']:.2f} GB"
    )
    if "seconds" in monai:
        click.echo(
            "torch against Keras, same weights (float32): probabilities differ "
            f"by at most {monai['difference']:.1e}"
        )
        for window, seconds in monai["estimates"].items():
            click.echo(f"its tuning projects {seconds:.1f} s for {window}")
    else:
        click.echo(monai["skipped"])


def prepare(folder, shape):
    """Writes the scan, the weights and what they predict for one patch."""
    from keras_isample.models import dual_path_resnet

    rng = np.random.default_rng(0)
    model = dual_path_resnet(CLASSES)
    for weight in model.weights:
        values = 0.1 * rng.normal(size=weight.shape)
        if weight.name in ("gamma", "moving_variance"):
            values = rng.uniform(0.5, 1.5, weight.shape)
        elif weight.name == "kernel":
            fan_in = np.prod(weight.shape[:-1])
            values = rng.normal(size=weight.shape) / np.sqrt(fan_in)
        weight.assign(values)
    stored = rng.integers(-900, 900, shape).astype(np.int16)
    np.save(folder / "scan.npy", stored)
    model.save_weights(folder / "model.weights.h5")
    patch = rng.normal(size=(1, *[PATCH + 28] * 3, 1)).astype(np.float32)
    context = rng.normal(size=(1, *[PATCH // 4 + 30] * 3, 1))
    context = context.astype(np.float32)
    layers = {
        f"{layer.name}/{weight.name}": np.array(weight)
        for layer in model.layers
        for weight in layer.weights
    }
    np.savez(
        folder / "torch.npz",
        **{
            "patch": patch,
            "context": context,
            "expected": np.array(model([patch, context])),
        },
        **layers,
    )


def load(folder, dtype):
    """The network under a policy, and the scan."""
    import keras

    from keras_isample.models import dual_path_resnet
    from keras_isample.volumes.scan import Scan

    if dtype != "float32":
        keras.mixed_precision.set_global_policy(f"mixed_{dtype}")
    model = dual_path_resnet(CLASSES)
    model.load_weights(folder / "model.weights.h5")
    stored = np.load(folder / "scan.npy")[None]
    return model, Scan(stored, (1 / 218,), (0.0,), (-1000,))


def tiles(folder, dtype, memory, repeat):
    """Time of the label map of the scan, and difference to one pass."""
    from keras_isample.inference.full_volume import predict_label_map
    from keras_isample.inference.predictor import predictor_for
    from keras_isample.inference.predictor import tile_memory_of_scan
    from keras_isample.models import single_input

    model, scan = load(folder, dtype)
    memory = int(memory * 1e9) if memory else tile_memory_of_scan(model)
    # The first run also makes the predictor and traces its functions.
    times = times_of(
        lambda: predict_label_map(model, scan, tile_memory=memory), repeat
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    side = min(*scan.shape, 32) // 4 * 4
    start = [(n - side) // 8 * 4 for n in scan.shape]
    volume = scan.read([a - 60 for a in start], [a + side + 60 for a in start])
    expected = np.array(single_input(model, side)(volume[None])[0])
    difference = covered = 0
    predictor = predictor_for(model, memory)
    for first, part in predictor.tiles(scan):
        low = np.maximum(first, start)
        high = np.minimum(np.add(first, part.shape[:3]), np.add(start, side))
        if (low < high).all():
            here, there = (
                tuple(map(slice, low - origin, high - origin))
                for origin in (first, start)
            )
            gap = np.abs(part[here] - expected[there])
            difference = max(difference, float(gap.max()))
            covered += gap[..., 0].size
    if covered != side**3:
        raise RuntimeError("The tiles do not cover the middle of the scan.")
    return {
        "seconds": min(times),
        "first": times[0],
        "difference": difference,
        "peak_tiles": peak,
        "tile_gb": memory / 1e9,
    }


def limit(folder, shape, dtype, repeat):
    """Sum of the times of all convolutions of one pass."""
    import keras
    from keras import layers

    model, _ = load(folder, "float32")
    blocks = [-(-n // 4) for n in shape]
    found = [x for x in model.layers if isinstance(x, layers.Conv3D)]
    shapes = keras.Model(
        model.inputs, [layer.input for layer in found]
    ).compute_output_shape(
        [
            (1, *(4 * n + 28 for n in blocks), 1),
            (1, *(n + 30 for n in blocks), 1),
        ]
    )
    seconds = {
        layer.name: convolution(
            size[1:4],
            size[4],
            layer.filters,
            layer.kernel_size[0],
            dtype,
            repeat,
        )
        for layer, size in zip(found, shapes, strict=True)
    }
    total = sum(seconds.values())
    maps = model.get_layer("high_rb1_conv3").filters
    hidden = model.get_layer("fc1").filters
    low = model.get_layer("low_rb2_conv3").filters
    split = convolution(
        [4 * n for n in blocks], maps, hidden, 1, dtype, repeat
    ) + convolution(blocks, low, hidden, 1, dtype, repeat)
    return {
        "seconds": total,
        "split_seconds": total - seconds["fc1"] + split,
        "layers": seconds,
    }


def convolution(shape, maps, filters, side, dtype, repeat):
    """Seconds of one valid convolution of an input of `shape`."""
    import tensorflow as tf

    rows = shape[0] - side + 1
    size = tf.as_dtype(dtype).size
    row_bytes = size * shape[1] * shape[2] * (maps + filters)
    part = min(rows, max(1, ROW_BYTES // row_bytes))
    parts = -(-rows // part)
    part = -(-rows // parts)
    x = tf.fill((1, part + side - 1, *shape[1:], maps), tf.constant(0.5, dtype))
    kernel = tf.cast(tf.random.normal([side] * 3 + [maps, filters]), dtype)

    @tf.function(jit_compile=False)
    def run():
        # One value, so that the output itself is not copied.
        return tf.nn.conv3d(x, kernel, [1] * 5, "VALID")[0, 0, 0, 0]

    return rows / part * best_of(lambda: run().numpy(), repeat + 1)


def best_of(call, repeat):
    """Least of the times of `repeat` calls, after one more if it is 1."""
    return min(times_of(call, repeat))


def times_of(call, repeat):
    """The time of each call, of two at least."""
    times = []
    for _ in range(max(2, repeat)):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def tune(folder, dtype, sizes):
    """What MONAI would take with each window; a reason if it cannot run."""
    try:
        import torch
        from monai.data.utils import dense_patch_slices
    except ImportError as error:
        return {"skipped": f"MONAI sliding window: skipped ({error})"}
    network, volume, difference = torch_parts(folder)
    estimates = {}
    with arithmetic(dtype):
        for size in sizes:
            # MONAI steps by a whole window where it is as high as the scan.
            steps = [
                n if n >= whole else int(n * 0.75)
                for n, whole in zip(size, volume.shape[2:], strict=True)
            ]
            count = len(dense_patch_slices(volume.shape[2:], size, steps))
            window = torch.zeros(1, 1, *size)
            seconds = best_of(lambda w=window: network(w), 2)
            estimates["x".join(map(str, size))] = count * seconds
    return {"estimates": estimates, "difference": difference}


def monai(folder, dtype, size, repeat):
    """Time of MONAI's sliding window."""
    from monai.inferers import sliding_window_inference

    network, volume, _ = torch_parts(folder)

    def label_map():
        result = sliding_window_inference(
            volume, size, 1, network, overlap=0.25
        )
        labels = result.argmax(dim=1)
        if labels.shape[1:] != volume.shape[2:]:
            raise RuntimeError("MONAI returned another shape.")

    with arithmetic(dtype):
        seconds = best_of(label_map, repeat)
    return {"seconds": seconds, "window": size}


@contextlib.contextmanager
def arithmetic(dtype):
    """Torch without gradients, in float32 or autocast to bfloat16."""
    import torch

    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        yield


def torch_parts(folder):
    """The network in torch, the scan, and how far the network is off."""
    import torch

    network = torch_network(dict(np.load(folder / "torch.npz")))
    difference = network.check()
    if difference > 1e-4:
        raise RuntimeError(f"The torch network differs by {difference}.")
    stored = np.load(folder / "scan.npy")
    volume = torch.from_numpy(stored.astype(np.float32) / 218)[None, None]
    return network, volume, difference


def torch_network(weights):
    """The network in torch, of one window; the output has its size."""
    import torch
    from torch.nn import functional
    from torch_dual_path import DualPath

    class Window(DualPath):
        def both(self, image, context):
            logits = super().forward(image, context)
            return functional.softmax(logits.float(), dim=1)

        def forward(self, window):
            window = window.to(memory_format=torch.channels_last_3d)
            context = functional.avg_pool3d(
                functional.pad(window, [60] * 6), 3, 4
            )
            return self.both(functional.pad(window, [14] * 6), context)

        def check(self):
            """Largest difference to what Keras predicted."""
            image, context, expected = (
                torch.from_numpy(weights[name]).permute(0, 4, 1, 2, 3)
                for name in ("patch", "context", "expected")
            )
            with torch.inference_mode():
                result = self.both(image, context)
            return float((result - expected).abs().max())

    return Window(weights).eval()


if __name__ == "__main__":
    main()
