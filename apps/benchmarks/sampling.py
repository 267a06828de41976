"""Speed of the sampler: patches per second, and its share of a training step.

Draws from a cached scan of 512 x 512 x 300 whose error map is 0.005 almost
everywhere and is replaced before every epoch. Beside it, in as many processes
as there are cores: nnU-Net's loader and warp and TorchIO's samplers, which
know no error map, except for TorchIO's WeightedSampler. Rivals that are not
installed (`pip install keras-isample[benchmarks]`) are skipped. Then the CPU
time that the input of a training step takes, as a share of the step.

Takes two minutes on two shared cores of an AMD EPYC (AVX-512). Two early runs
in November 2026: 3,110 and 3,660 patches/s of 64^3 cut out, the counting of
each new map's levels included (1.6 to 1.8 times nnU-Net's loader, 1.2 times
TorchIO's LabelSampler, 1.1 to 1.4 times its WeightedSampler); 810 to 830 turned
and interpolated, 213 to 216 million voxels/s (7 times nnU-Net's warp); input
1.6 to 3.2 % of a training step. Two later runs without rivals: 4,080 and 4,330
patches/s, 225 and 221 million voxels/s, input 1.7 to 3.1 %. Cutting out goes at
the speed of memory, which varies on a shared machine, for nnU-Net too.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import click
import numpy as np

SHAPE = (512, 512, 300)
QUICK_SHAPE = (96, 80, 72)
EPSILON = 0.01
BATCH = 12
EPOCHS = 3
CUT_OUT = 400
"""Batches of an epoch without augmentation, 4,800 patches."""

HIGH = 128
"""Stored error (about 0.5) in the small region that is still wrong."""

STEPS = (
    # Name, scan, patch size, batch size, width, precision, sampling.
    ("default", None, 8, 12, 1.0, "float32", {}),
    ("apps/demo", (96, 96, 96), 16, 8, 0.6, "float32", {}),
    (
        "apps/head_and_neck",
        (110, 110, 128),
        16,
        8,
        0.8,
        "mixed_bfloat16",
        {"epsilon": 0.001, "sample_from": "all", "redraw": "center"},
    ),
)


@click.command()
@click.option("--quick", is_flag=True, help="A small scan, no rivals.")
@click.option(
    "--rivals/--no-rivals", default=True, help="Whether rivals are measured."
)
def main(quick, rivals):
    """Measures the sampler, its rivals, and its share of a training step."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        case = make_case(folder / "scan", QUICK_SHAPE if quick else SHAPE)
        click.echo(f"scan {case.shape}, {cores} cores, batch {BATCH}")
        check(case)
        side = 16 if quick else 64
        ours = our_rates(case, side, quick)
        if rivals and not quick:
            compare(case.folder, ours, cores)
        else:
            click.echo("rivals skipped")
        for settings in STEPS[: 1 if quick else None]:
            share_of_a_step(folder, case, cores, quick, *settings)


def make_case(folder, shape):
    """A `PreparedCase` of noise with two organs, and two error maps."""
    from keras_isample.data.class_index import index_classes
    from keras_isample.data.preparation import PreparedCase
    from keras_isample.data.preparation import box_means

    folder.mkdir()
    rng = np.random.default_rng(0)
    image = rng.integers(-1000, 1000, shape, dtype=np.int16)
    labels = np.zeros(shape, np.uint8)
    labels[_part(shape, 0.2, 0.4)] = 1
    labels[_part(shape, 0.6, 0.7)] = 2
    positions, counts = index_classes(labels, 3)
    np.save(folder / "image.npy", image[None])
    np.save(folder / "context.npy", box_means(image, -1000, 3)[None])
    np.save(folder / "labels.npy", labels)
    np.save(folder / "labels-4d.npy", labels[None])
    np.save(folder / "positions.npy", positions)
    for number in (1, 2):
        # 0.005 of 255 levels is 1.275, rounded up or down by chance.
        errors = (rng.random(shape, np.float32) < 0.275) + np.uint8(1)
        errors[high_part(shape, number)] = HIGH
        np.save(folder / f"errors-{number}.npy", errors.astype(np.uint8))
    return PreparedCase(
        name="scan",
        folder=folder,
        shape=shape,
        spacing=(1.0, 1.0, 1.5),
        counts=tuple(int(n) for n in counts),
        missing=(),
        scales=(1 / 218,),
        offsets=(0.0,),
        outside=(-1000,),
        affine=tuple(map(tuple, np.diag([1.0, 1.0, 1.5, 1.0]))),
        extremes=((-1000, 999),),
    )


def _part(shape, first, last):
    return tuple(slice(int(first * n), int(last * n)) for n in shape)


def high_part(shape, number):
    """Where error map `number` is high: around a corner of an organ."""
    return _part(shape, 0.19 * number, 0.19 * number + 0.03)


def check(case):
    """Compares drawn centers with Algorithm 1's probabilities."""
    from keras_isample.sampling import ISample

    sampler = ISample([case], batch_size=BATCH, epsilon=EPSILON)
    update(sampler, case, 1)
    steps = 800
    centers = next(iter(sampler.centers(steps).batch(steps * BATCH)))[1].numpy()
    part = high_part(case.shape, 1)
    drawn = np.all(
        [
            (s.start <= c) & (c < s.stop)
            for s, c in zip(part, centers.T, strict=True)
        ],
        axis=0,
    ).mean()
    labels = np.asarray(case.labels())
    chance = np.minimum(
        1, np.load(case.folder / "errors-1.npy") / 255 + EPSILON
    )
    chance /= np.array(case.counts)[labels]
    expected = chance[part].sum() / chance.sum()
    click.echo(
        f"share of centers where the error is high: {drawn:.4f} drawn, "
        f"{expected:.4f} by Algorithm 1"
    )


def update(sampler, case, number):
    """What happens between epochs, the prediction apart.

    The new error map is one of the two of the case.
    """
    from keras_isample.sampling.error_map_files import read_tiles

    tiles = read_tiles(case.folder / f"errors-{number}.npy")
    version = sampler.epoch + 1
    sampler.error_maps.update(0, None, tiles, version=version, seed=0)
    sampler.use([0])
    sampler.epoch += 1


def measure(case, steps, *, epsilon=EPSILON, **options):
    """`(patches per second, CPU seconds per batch)` over some epochs."""
    from keras_isample.sampling import ISample

    sampler = ISample([case], epsilon=epsilon, **options)
    wall, cpu = [], []
    for epoch in range(EPOCHS + 1):
        begun = time.perf_counter(), time.process_time()
        update(sampler, case, 1 + epoch % 2)
        for _ in sampler.dataset(steps):
            pass
        wall.append(time.perf_counter() - begun[0])
        cpu.append(time.process_time() - begun[1])
    # The first epoch compiles.
    wall, cpu = statistics.median(wall[1:]), statistics.median(cpu[1:])
    return steps * sampler.batch_size / wall, cpu / steps


def our_rates(case, side, quick):
    """Patches per second without and with augmentation."""
    from keras_isample.models import PlainGeometry

    rates = {}
    for augment, steps in ((False, CUT_OUT), (True, 100)):
        rates[augment], _ = measure(
            case,
            4 if quick else steps,
            geometry=PlainGeometry(side),
            augment=augment,
            batch_size=BATCH,
        )
        click.echo(
            f"ours, {side}^3, augment={augment}: "
            f"{rates[augment]:.0f} patches/s, "
            f"{rates[augment] * side**3 / 1e6:.0f} million voxels/s"
        )
    return rates


def compare(folder, ours, cores):
    """A row per rival, and ours as a multiple of it."""
    import sampling_rivals

    for name, module, number, augment in (
        ("nnU-Net loader", "nnunetv2", 1200, False),
        # Once an epoch they go through the map: as many patches as ours.
        ("TorchIO LabelSampler", "torchio", CUT_OUT * BATCH // cores, False),
        ("TorchIO WeightedSampler", "torchio", CUT_OUT * BATCH // cores, False),
        ("nnU-Net warp alone", "batchgeneratorsv2", 120, True),
        ("nnU-Net loader and warp", "nnunetv2", 120, True),
    ):
        if not sampling_rivals.available(module):
            click.echo(f"{name}: skipped, {module} is not installed")
            continue
        rate = sampling_rivals.rate(name, folder, number, cores)
        click.echo(
            f"{name}, {sampling_rivals.SIDE}^3: {rate:.0f} patches/s, "
            f"{rate * sampling_rivals.SIDE**3 / 1e6:.1f} million voxels/s; "
            f"ours {ours[augment] / rate:.1f} times as fast"
        )


def share_of_a_step(folder, case, cores, quick, name, shape, *settings):
    """CPU time of a batch as a share of that of its training step."""
    import keras

    from keras_isample.losses import CrossEntropy
    from keras_isample.models import dual_path_resnet
    from keras_isample.sampling import ISample

    patch_size, batch_size, width, precision, sampling = settings
    if shape is not None:
        case = make_case(folder / name.replace("/", "-"), shape)
    options = dict(patch_size=patch_size, batch_size=batch_size, **sampling)
    _, cpu = measure(case, 4 if quick else 40, **options)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = dual_path_resnet(3, width=0.1 if quick else width)
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=CrossEntropy())
    inputs, labels = next(iter(ISample([case], **options).dataset(1)))
    seconds = []
    for _ in range(3 if quick else 8):
        begun = time.perf_counter()
        model.train_on_batch(inputs, labels)
        seconds.append(time.perf_counter() - begun)
    step = statistics.median(seconds[2:])
    click.echo(
        f"{name} (patch {patch_size}, batch {batch_size}, width {width}, "
        f"{precision}): step {step:.3f} s, input {cpu * 1e3:.1f} ms of CPU, "
        f"{100 * cpu / (cores * step):.1f} % of {cores} cores"
    )


if __name__ == "__main__":
    main()
