"""A training step beside its own bare convolutions and torch's step.

The dual-path network (649,251 parameters, 11 classes) trains on noise as in a
run: cross-entropy, L2, dropout, Nesterov SGD. Beside it:

- `limit`: three times (forward, and backward to kernel and input) every bare
  forward convolution, alone at its shape and type, best of several, summed.
- `torch`: the same layers, loss and optimizer (channels_last_3d, autocast,
  fused optimizer, glibc told to keep freed memory). That it computes the same
  is checked: kernels after steps without dropout, from the same weights.
- `normalization`: the same network with `keras.layers.BatchNormalization` in
  place of ours, in turn in one process, each step from the same state. The
  number of different results says whether a step is repeatable bit for bit.
  `--only normalization` runs this part alone.

Every other measurement runs in a process of its own, in turn, for some rounds;
a time is the median of its steps. Needs torch (`benchmarks` extra).

Takes four minutes on two cores of an AMD EPYC (AVX-512). To expect there, in
float32 and bfloat16: 0.61 to 0.68 and 0.47 to 0.53 s; 63 to 66 and 49 to 50 %
of the limit; 1.2 and 1.1 times as fast as torch. With Keras' normalization a
step took 1.1 and 1.2 times as long on two cores with AMX beside other jobs, and
in float32 8 equal steps had 2 different results.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

CLASSES = 11
DROPOUT = 0.5
L2 = 1e-4
LEARNING_RATE = 1e-4
"""So small that rounding, by which a ReLU flips, does not spread."""
CHECK_STEPS = 2
CHECK_L2 = 0.1
"""As strong as the data, so that a slip in it would show."""
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 34),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


@click.command()
@click.option("--patch-size", default=8, show_default=True)
@click.option("--batch-size", default=12, show_default=True)
@click.option("--width", default=1.0, show_default=True)
@click.option("--dtype", default="float32,bfloat16", show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--steps", default=12, show_default=True)
@click.option("--rival/--no-rival", default=True, help="Whether torch runs.")
@click.option(
    "--only",
    type=click.Choice(["step", "normalization"]),
    help="One part; both by default.",
)
@click.option("--quick", is_flag=True, help="A narrow network, two steps.")
@click.option("--part", hidden=True)
@click.option("--folder", type=Path, hidden=True)
def main(quick, rounds, rival, only, part, folder, **options):
    """Measures a training step; prints times and ratios."""
    if quick:
        options.update(batch_size=2, width=0.2, dtype="float32", steps=2)
        rounds = 1
    if part:
        if part != "torch":
            # Before TensorFlow, which it tells to use oneDNN.
            import keras_isample  # noqa: F401
        result = PARTS[part](folder, **options)
        (folder / f"{part}.json").write_text(json.dumps(result))
        return
    from keras_isample.processor import describe_processor

    click.echo(
        "patch {patch_size}, batch {batch_size}, width {width}; "
        "{processor}".format(**options, processor=describe_processor())
    )
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        types = options.pop("dtype").split(",")
        if only != "normalization":
            measure_step(folder, types, rounds, rival, options)
        if only != "step":
            click.echo(
                "\nnormalization  ours ms  Keras ms  Keras/ours  "
                "different results: ours, Keras"
            )
            for dtype in types:
                found = run("normalization", folder, dtype, options)
                report_normalization(dtype, **found)


def measure_step(folder, types, rounds, rival, options):
    """A step beside its convolutions and torch's, in tables."""
    run("prepare", folder, "float32", options)
    if rival:
        check = run("check", folder, "float32", options)
        rival = "difference" in check
        click.echo(
            "torch against Keras, same weights: kernels moved by steps "
            f"differ by {check['difference']:.1e} of the way"
            if rival
            else check["skipped"]
        )
    parts = ["limit", "ours", *["torch"] * rival]
    for dtype in types:
        report(
            dtype,
            [
                {part: run(part, folder, dtype, options) for part in parts}
                for _ in range(rounds)
            ],
        )


def run(part, folder, dtype, options):
    """Result of a part, computed in a process of its own."""
    arguments = [__file__, "--part", part, "--dtype", dtype]
    arguments += ["--folder", folder]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if part == "torch":
        environment.update(KEEP_MEMORY)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"Part {part} failed: {done.stderr[-2000:]}")
    return json.loads((folder / f"{part}.json").read_text())


def report(dtype, rounds):
    """Prints a row per round, and their medians."""
    click.echo(
        f"\n{dtype:10}  limit ms  ours ms  share of limit  torch ms  torch/ours"
    )
    rows = []
    for number, found in enumerate(rounds, 1):
        limit, ours = 3 * found["limit"], found["ours"]
        torch = found.get("torch", float("nan"))
        rows.append((limit, ours, limit / ours, torch, torch / ours))
        _row(f"round {number}", rows[-1])
    _row("median", [statistics.median(x) for x in zip(*rows, strict=True)])


def _row(name, values):
    limit, ours, share, torch, ratio = values
    click.echo(
        f"{name:10}  {1e3 * limit:8.1f}  {1e3 * ours:7.1f}  {share:14.2f}  "
        f"{1e3 * torch:8.1f}  {ratio:10.2f}"
    )


def report_normalization(dtype, seconds, results):
    """Prints a row."""
    ours, theirs = (1e3 * time for time in seconds)
    click.echo(
        f"{dtype:13}  {ours:7.1f}  {theirs:8.1f}  {theirs / ours:10.2f}  "
        f"{results[0]}, {results[1]}"
    )


def times(call, repeat):
    """Seconds of each of `repeat` calls, after two more."""
    seconds = []
    for _ in range(repeat + 2):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds[2:]


def make_model(width, dtype="float32", dropout=DROPOUT, l2=L2):
    """The compiled network with random weights, the same at every call."""
    import keras

    from keras_isample.losses import CrossEntropy
    from keras_isample.models import dual_path_resnet
    from keras_isample.training.optimizers import sgd

    keras.utils.set_random_seed(0)
    if dtype != "float32":
        keras.mixed_precision.set_global_policy(f"mixed_{dtype}")
    model = dual_path_resnet(CLASSES, width=width, dropout=dropout, l2=l2)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        # Not 0, or the inner convolutions would get no gradient at first.
        if weight.name == "gamma":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    model.compile(optimizer=sgd(LEARNING_RATE), loss=CrossEntropy())
    return model


def batch(patch_size, size):
    """Noise for image, context and labels."""
    rng = np.random.default_rng(1)
    image = rng.normal(size=(size, *[patch_size + 28] * 3, 1))
    context = rng.normal(size=(size, *[patch_size // 4 + 30] * 3, 1))
    labels = rng.integers(0, CLASSES, (size, *[patch_size] * 3))
    return [x.astype(np.float32) for x in (image, context)], labels


def prepare(folder, patch_size, batch_size, width, **_):
    """Writes the weights before and after steps without dropout."""
    model = make_model(width, dropout=0.0, l2=CHECK_L2)
    for name in ("before", "after"):
        arrays = {
            f"{layer.name}/{weight.name}": weight.numpy()
            for layer in model.layers
            for weight in layer.weights
        }
        np.savez(folder / f"{name}.npz", **arrays)
        if name == "before":
            for _ in range(CHECK_STEPS):
                model.train_on_batch(*batch(patch_size, min(2, batch_size)))


def limit(_, patch_size, batch_size, width, dtype, steps):
    """Sum of the least times of all forward convolutions."""
    import keras

    model = make_model(width)
    found = [x for x in model.layers if isinstance(x, keras.layers.Conv3D)]
    inputs, _ = batch(patch_size, batch_size)
    shapes = keras.Model(
        model.inputs, [layer.input for layer in found]
    ).compute_output_shape([x.shape for x in inputs])
    return sum(
        min(times(bare(shape, layer.kernel.shape, dtype), min(steps, 8)))
        for layer, shape in zip(found, shapes, strict=True)
    )


def bare(shape, kernel_shape, dtype):
    """A function that runs one valid convolution."""
    import tensorflow as tf

    x = tf.cast(tf.random.normal(shape), dtype)
    kernel = tf.cast(tf.random.normal(kernel_shape), dtype)

    @tf.function(jit_compile=False)
    def convolution(x, kernel):
        return tf.nn.conv3d(x, kernel, [1] * 5, "VALID")

    return lambda: convolution(x, kernel)


def ours(_, patch_size, batch_size, width, dtype, steps):
    """Median time of a step of Keras."""
    model = make_model(width, dtype)
    x, y = batch(patch_size, batch_size)
    return statistics.median(times(lambda: model.train_on_batch(x, y), steps))


def normalization(_, patch_size, batch_size, width, dtype, steps):
    """Our normalization beside Keras': times of steps, and their results."""
    models = [make_model(width, dtype)]
    models.append(with_keras_normalization(models[0]))
    data = batch(patch_size, batch_size)
    for _ in range(2):
        for model in models:
            model.train_on_batch(*data)
    starts = [values_of(model) for model in models]
    seconds, results = ([], []), (set(), set())
    for _ in range(steps):
        for model, start, times, found in zip(
            models, starts, seconds, results, strict=True
        ):
            for variable, value in zip(*start, strict=True):
                variable.assign(value)
            started = time.perf_counter()
            model.train_on_batch(*data)
            times.append(time.perf_counter() - started)
            found.add(b"".join(x.numpy().tobytes() for x in model.weights))
    return {
        "seconds": [statistics.median(times) for times in seconds],
        "results": [len(found) for found in results],
    }


def with_keras_normalization(model):
    """The same compiled network with the normalization of Keras."""
    import keras

    from keras_isample.losses import CrossEntropy
    from keras_isample.training.optimizers import sgd

    def copy(layer):
        kind = type(layer)
        if isinstance(layer, keras.layers.BatchNormalization):
            kind = keras.layers.BatchNormalization
        return kind.from_config(layer.get_config())

    network = keras.Model(model.inputs, model.outputs)
    other = keras.models.clone_model(network, clone_function=copy)
    other.set_weights(model.get_weights())
    other.compile(optimizer=sgd(LEARNING_RATE), loss=CrossEntropy())
    return other


def values_of(model):
    """All variables that a step changes, and their values."""
    variables = [*model.variables, *model.optimizer.variables]
    return variables, [variable.numpy() for variable in variables]


def torch_step(
    weights, inputs, labels, dtype="float32", dropout=DROPOUT, l2=L2
):
    """The network in torch, and a function that runs a training step."""
    import torch
    from torch.nn import functional
    from torch_dual_path import DualPath

    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = DualPath(weights, dropout).train()
    decaying, other = [], []
    for name, value in network.named_parameters():
        decays = value.ndim == 5 and not name.startswith("fc2")
        (decaying if decays else other).append(value)
    optimizer = torch.optim.SGD(
        [
            # Of Keras' `L2 * sum(w ** 2)`, the gradient.
            {"params": decaying, "weight_decay": 2 * l2},
            {"params": other},
        ],
        lr=LEARNING_RATE,
        momentum=0.8,
        nesterov=True,
        fused=True,
    )
    image, context = (
        torch.from_numpy(x).permute(0, 4, 1, 2, 3) for x in inputs
    )
    labels = torch.from_numpy(labels)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            logits = network(image, context)
        loss = functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return network, step


def check(folder, patch_size, batch_size, **_):
    """How far torch's kernels end from Keras', in parts of their way."""
    try:
        from torch_dual_path import DualPath
    except ImportError as error:
        return {"skipped": f"torch skipped ({error})"}
    before, after = (
        dict(np.load(folder / f"{name}.npz")) for name in ("before", "after")
    )
    inputs, labels = batch(patch_size, min(2, batch_size))
    network, step = torch_step(before, inputs, labels, dropout=0.0, l2=CHECK_L2)
    for _ in range(CHECK_STEPS):
        step()
    start, goal, here = (
        np.concatenate(
            [
                value.detach().numpy().ravel()
                for value in found.parameters()
                if value.ndim == 5
            ]
        )
        for found in (DualPath(before), DualPath(after), network)
    )
    gap = np.linalg.norm(here - goal) / np.linalg.norm(goal - start)
    return {"difference": float(gap)}


def torch(folder, patch_size, batch_size, width, dtype, steps):
    """Median time of a step of torch."""
    weights = dict(np.load(folder / "before.npz"))
    inputs, labels = batch(patch_size, batch_size)
    _, step = torch_step(weights, inputs, labels, dtype)
    return statistics.median(times(step, steps))


PARTS = {
    function.__name__: function
    for function in (prepare, check, limit, ours, torch, normalization)
}


if __name__ == "__main__":
    main()
