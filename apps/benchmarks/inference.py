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
  its window and batch tuned. The network pads each window with zeros for both
  paths, so that its output has the window's size.

Each row runs in a process of its own, whose peak memory is shown, with Python
and the libraries. Needs the `benchmarks` extra for the last row, and 24 GB of
memory for the largest of MONAI's windows. About 12 minutes on two cores.

On two shared AVX-512 cores (November 2026), tile memory 2.6 GB:

                             float32                  bfloat16
    bare                      23.7 s                  11.2 s
    keras-isample             33.9 s, 1.43 x  3.8 GB  14.8 s, 1.32 x   3.5 GB
    MONAI, best window        56.3 s, 2.37 x   22 GB  32.6 s, 2.91 x    14 GB
    MONAI, 96^3, its tuning  110 s,   4.6 x           83 s,   7.4 x

In float32 other work ran beside ours. Alone, with the bare convolutions at 22.9
s: 28.6 and 27.3 s with tile memory 1, 26.9 s with 2 (1.17 x, 2.3 GB in all),
26.4 s with 3 (3.8 GB). So it is 2.1 times as fast as MONAI with windows as high
as the scan, which take a whole machine's memory, and 4 times as fast as MONAI
with windows of 96^3.
"""

import json
import os
import resource
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
@click.option("--tile-memory", default=2.0, show_default=True, help="In GB.")
@click.option(
    "--windows",
    default="96,128,104x104x160,148x104x160",
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
    sizes = [size * 3 if len(size) == 1 else size for size in sizes]
    if part:
        parts = {
            "prepare": lambda: prepare(folder, shape),
            "limit": lambda: limit(folder, shape, dtype, repeat),
            "tiles": lambda: tiles(folder, dtype, tile_memory, repeat),
            "monai": lambda: monai(folder, dtype, sizes, repeat),
        }
        result = parts[part]() or {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result["peak_gb"] = peak * 1024 / 1e9
        (folder / f"{part}.json").write_text(json.dumps(result))
        return
    options = {
        "--shape": ",".join(map(str, shape)),
        "--tile-memory": str(tile_memory),
        "--windows": windows,
        "--repeat": str(repeat),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("prepare", folder, "float32", options)
        for kind in dtype.split(","):
            report(
                kind,
                {
                    part: run(part, folder, kind, options)
                    for part in ("limit", "tiles", "monai")
                },
            )


def run(part, folder, dtype, options):
    """Result of a part, computed in a process of its own."""
    arguments = [x for pair in options.items() for x in pair]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if part == "monai":
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
    if done.returncode:
        raise click.ClickException(f"{part}: {done.stderr[-2000:]}")
    return json.loads((folder / f"{part}.json").read_text())


def report(dtype, results):
    """Prints the rows of one data type."""
    limit, tiles, monai = (results[k] for k in ("limit", "tiles", "monai"))
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
    if "seconds" in monai:
        click.echo(
            "torch against Keras, same weights (float32): probabilities differ "
            f"by at most {monai['difference']:.1e}"
        )
        for window, seconds in monai["estimates"].items():
            click.echo(f"MONAI's tuning: {window} would take {seconds:.1f} s")
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
    from keras_isample.models import single_input

    model, scan = load(folder, dtype)
    memory = int(memory * 1e9)
    # The first run also compiles.
    seconds = best_of(
        lambda: predict_label_map(model, scan, tile_memory=memory), repeat
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    side = min(*scan.shape, 32) // 4 * 4
    start = [(n - side) // 8 * 4 for n in scan.shape]
    volume = scan.read([a - 60 for a in start], [a + side + 60 for a in start])
    expected = np.array(single_input(model, side)(volume[None])[0])
    difference = covered = 0
    for first, part in predictor_for(model, memory).tiles(scan):
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
    return {"seconds": seconds, "difference": difference, "peak_tiles": peak}


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
    times = []
    for _ in range(max(2, repeat)):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def monai(folder, dtype, sizes, repeat):
    """Time of MONAI's sliding window, tuned; a reason if it cannot run."""
    try:
        import torch
        from monai.data.utils import dense_patch_slices
        from monai.inferers import sliding_window_inference
    except ImportError as error:
        return {"skipped": f"MONAI sliding window: skipped ({error})"}
    weights = dict(np.load(folder / "torch.npz"))
    network = torch_network(weights)
    difference = network.check()
    if difference > 1e-4:
        raise RuntimeError(f"The torch network differs by {difference}.")
    stored = np.load(folder / "scan.npy")
    volume = torch.from_numpy(stored.astype(np.float32) / 218)[None, None]
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        estimates = {}
        for size in sizes:
            # MONAI steps by a whole window where it is as high as the scan.
            steps = [
                n if n >= whole else int(n * 0.75)
                for n, whole in zip(size, stored.shape, strict=True)
            ]
            count = len(dense_patch_slices(stored.shape, size, steps))
            # Batches of several windows are no faster on a CPU.
            window = torch.zeros(1, 1, *size)
            seconds = best_of(lambda w=window: network(w), 2)
            estimates[tuple(size)] = count * seconds
        size = min(estimates, key=estimates.get)

        def label_map():
            result = sliding_window_inference(
                volume, size, 1, network, overlap=0.25
            )
            labels = result.argmax(dim=1)
            if labels.shape[1:] != stored.shape:
                raise RuntimeError("MONAI returned another shape.")

        seconds = best_of(label_map, repeat)
    return {
        "seconds": seconds,
        "window": size,
        "difference": difference,
        "estimates": {"x".join(map(str, k)): v for k, v in estimates.items()},
    }


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
