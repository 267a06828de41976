"""What an epoch of slices takes, against its network alone.

Limit: the same number of training steps on one batch that is there already. An
epoch takes that much if reading, turning and flipping slices costs nothing, and
twice as much if it costs as much as the network. Beside it the input alone,
iterated without a network. All three alternate in one process, with the
settings of `apps/cardiac_mri` (2D U-Net, 100 slices of 96 x 96 in batches of
ten) on its phantom.

Three minutes on two cores. To expect there (AVX-512, November 2026, float32):
an epoch of 10 steps takes 1.06 to 1.07 times its network, the input alone 2 to
4 % of it, in wall and in CPU time: the network is what an epoch waits for.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

SETTINGS = Path(__file__).parents[1] / "cardiac_mri" / "config.toml"


@click.command()
@click.option("--rounds", default=7, show_default=True)
@click.option("--quick", is_flag=True, help="Few slices, a narrow network.")
def main(rounds, quick):
    """Prints seconds of an epoch, of its network and of its input."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(Path(folder), quick)
        found = measure(trainer, 2 if quick else rounds)
    epoch, network, wall, cpu = map(statistics.median, zip(*found, strict=True))
    training = trainer.config.training
    click.echo(
        f"{training.steps_per_epoch} steps of "
        f"{trainer.config.sampling.batch_size} slices, "
        f"{trainer.model.count_params():,} parameters, "
        f"median of {len(found)} rounds"
    )
    for name, seconds in (
        ("epoch", epoch),
        ("network alone", network),
        ("input alone", wall),
        ("input alone, CPU", cpu),
    ):
        click.echo(f"{name:17}  {seconds:7.3f} s  {seconds / network:6.3f} x")


def make_trainer(folder, quick):
    """The model and the sampler that `fit` would train with, in float32."""
    from keras_isample.config import Config
    from keras_isample.config import read_settings
    from keras_isample.training.run_data import read_run_data
    from keras_isample.training.trainer import Trainer

    options = ["--cases=20", "--shape=48,48"] if quick else []
    data = folder / "data"
    subprocess.run(
        [
            *(sys.executable, "-m", "keras_isample", "phantom", str(data)),
            *("--kind=cardiac", "--quiet", *options),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    settings, _ = read_settings(SETTINGS)
    settings |= {"cache": str(folder / "cache"), "mixed_precision": "none"}
    if quick:
        settings |= {"width": 0.1, "steps_per_epoch": 2}
    config = Config.from_settings(data, settings)
    prepared = read_run_data(config, lambda line: None).prepare()
    return Trainer(config, prepared)


def measure(trainer, rounds):
    """Seconds of epoch, network, and input (wall and CPU), for each round."""
    import tensorflow as tf

    sampler = trainer.sampler
    steps = trainer.config.training.steps_per_epoch
    batch = next(iter(sampler.dataset(1)))
    held = tf.data.Dataset.from_tensors(batch).repeat(steps)
    # With tf.data's own tuning its epoch would wait for the thread that tunes.
    held = held.with_options(sampler.dataset(steps).options())
    found = []
    for number in range(rounds + 1):
        # Each epoch draws its own slices.
        sampler.epoch = number
        drawn = sampler.dataset(steps)
        epoch, _ = seconds_of(lambda d=drawn: train(trainer.model, d))
        network, _ = seconds_of(lambda: train(trainer.model, held))
        read, cpu = seconds_of(lambda d=drawn: go_through(d))
        found.append((epoch, network, read, cpu))
    # The first round compiles.
    return found[1:]


def train(model, dataset):
    """An epoch, without a word."""
    model.fit(dataset, epochs=1, shuffle=False, verbose=0)


def go_through(dataset):
    """Draws all batches."""
    for _ in dataset:
        pass


def seconds_of(call):
    """Wall seconds of a call, and CPU seconds of all threads."""
    begun = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


if __name__ == "__main__":
    main()
