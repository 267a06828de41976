"""Several devices that share each batch."""

import subprocess
import sys

import keras
import pytest

from keras_isample.errors import InputError
from keras_isample.training import devices
from keras_isample.training.devices import shared_among
from keras_isample.training.history import read_history

# Devices are made when TensorFlow starts: a process of its own.
TRAIN_TWO_STEPS = """
import sys
import keras
import numpy as np
import tensorflow as tf
from keras_isample.callbacks import AveragedWeights
from keras_isample.losses import CrossEntropy
from keras_isample.metrics import MeanLoss
from keras_isample.models import dual_path_resnet
from keras_isample.models.normalization import synchronize
from keras_isample.training.optimizers import make_optimizer
from keras_isample.training.devices import shared_among

# Before TensorFlow starts: it makes the logical devices.
shared_among(("cpu:0", "cpu:1"), 4)
rng = np.random.default_rng(0)
image = rng.normal(size=(8, 36, 36, 36, 1)).astype("float32")
context = rng.normal(size=(8, 32, 32, 32, 1)).astype("float32")
labels = rng.integers(0, 3, (8, 8, 8, 8)).astype("uint8")
data = tf.data.Dataset.from_tensor_slices(((image, context), labels)).batch(4)

def build():
    keras.utils.set_random_seed(0)
    # Every replica would draw a dropout of its own.
    return dual_path_resnet(3, width=0.3, dropout=0.0)

def train(devices, ema_momentum):
    strategy = shared_among(devices, 4)
    if strategy is None:
        model = build()
    else:
        with strategy.scope():
            model = build()
            synchronize(model)
    loss = CrossEntropy()
    scope = strategy.scope() if strategy else tf.name_scope("one")
    with scope:
        optimizer = make_optimizer("sgd", 0.1, 0.0, ema_momentum)
        model.compile(optimizer, loss, metrics=[MeanLoss(loss)])
    average = [AveragedWeights()] if ema_momentum else []
    fit = {"verbose": 0, "shuffle": False, "callbacks": average}
    logs = model.fit(data, **fit).history
    return model.get_weights(), logs

before, ends = build().get_weights(), []
for ema_momentum in (0.0, 0.5):
    two, logs_two = train(("cpu:0", "cpu:1"), ema_momentum)
    one, logs_one = train(("cpu",), ema_momentum)
    for name in ("loss", "data_loss"):
        np.testing.assert_allclose(logs_two[name], logs_one[name], rtol=1e-4)
    for a, b, c in zip(one, two, before, strict=True):
        moved = np.abs(a - c).max()
        assert np.abs(a - b).max() <= 0.01 * moved + 1e-5, (a.shape, moved)
    assert max(np.abs(a - c).max() for a, c in zip(one, before)) > 0.01
    ends.append(two)
assert max(np.abs(a - b).max() for a, b in zip(*ends, strict=True)) > 0.001
"""


@pytest.mark.slow
def test_two_devices_take_the_same_steps_as_one():
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_TWO_STEPS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_run_on_two_devices_is_whole(tmp_path, ball_options):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "keras_isample", "fit", "--run", str(run)]
    options = [*ball_options, "--devices", "cpu:0,cpu:1", "--epochs", "2"]
    # So little memory that a scan takes several tiles, which they share.
    options += ["--tile-memory", "8MB"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    resumed = [*command, "--resume", "--epochs", "3"]
    subprocess.run(resumed, check=True, capture_output=True)
    assert len(read_history(run / "history.csv")) == 3
    model = keras.models.load_model(run / "model.keras")
    assert model.metadata["network"] == "dual-path"


def test_single_cpu_needs_no_strategy():
    assert shared_among(("cpu",), 3) is None
    assert shared_among(("cpu:0",), 3) is None


def test_devices_of_a_strategy_are_named():
    assert devices.devices_of(None) == ()
    here = "/job:localhost/replica:0/task:0/device:"

    class Strategy:
        class extended:
            worker_devices = (f"{here}GPU:0", f"{here}GPU:2")

    assert devices.devices_of(Strategy()) == ("gpu:0", "gpu:2")


def test_device_that_is_named_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        shared_among(("cpu:0", "cpu"), 4)


def test_online_error_maps_need_a_single_device(monkeypatch, ball_config):
    class Two:
        num_replicas_in_sync = 2

    monkeypatch.setattr(devices, "shared_among", lambda *_: Two())
    online = {"error_maps": "online"}
    with pytest.raises(InputError, match="`error_maps`"):
        devices.strategy_for(ball_config(devices="cpu:0,cpu:1", **online))
    assert devices.strategy_for(ball_config(**online)) is None
    assert devices.strategy_for(ball_config()) is not None


def test_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="gpu:0 is not there"):
        shared_among(("gpu:0",), 4)


def test_words_that_are_no_device_are_refused():
    with pytest.raises(InputError, match="`devices`"):
        shared_among(("fast one",), 4)


@pytest.mark.parametrize(
    ("batch_size", "used"), [(12, 6), (8, 8), (7, 7), (5, 5), (3, 3), (1, 0)]
)
def test_batch_is_divided_evenly_among_the_gpus(monkeypatch, batch_size, used):
    monkeypatch.setattr(devices, "_gpus", lambda: [None] * 8)
    assert len(devices._usable_gpus(batch_size)) == used


def test_fewer_gpus_than_there_are_is_told(monkeypatch, caplog):
    monkeypatch.setattr(devices, "_gpus", lambda: [None] * 8)
    assert len(devices._usable_gpus(12)) == 6
    assert "6 of 8 GPUs" in caplog.text


def test_single_gpu_needs_no_strategy(monkeypatch):
    monkeypatch.setattr(devices, "_gpus", lambda: [None])
    assert devices._usable_gpus(4) == []


@pytest.mark.parametrize("gpus", [0, 1, 4])
def test_online_error_maps_say_that_they_use_one_gpu(
    monkeypatch, caplog, ball_config, gpus
):
    monkeypatch.setattr(devices, "_gpus", lambda: [None] * gpus)
    assert devices.strategy_for(ball_config(error_maps="online")) is None
    told = [text for text in caplog.messages if "single device" in text]
    assert len(told) == (gpus > 1)
    assert all(f"1 of {gpus} GPUs" in text for text in told)


@pytest.mark.parametrize(
    ("gpus", "used"), [(0, 0), (1, 0), (2, 0), (3, 2), (4, 3)]
)
def test_one_of_several_gpus_is_spared(monkeypatch, gpus, used):
    monkeypatch.setattr(devices, "_gpus", lambda: [None] * gpus)
    names = devices._usable_gpus(12, spared=1)
    assert names == [f"gpu:{i}" for i in range(used)]


@pytest.mark.parametrize(
    ("settings", "spared"),
    [
        ({}, 0),
        ({"error_maps": "concurrent"}, 1),
        ({"error_maps": "concurrent", "sampling": "uniform"}, 0),
    ],
)
def test_concurrent_error_maps_are_spared_a_gpu(
    monkeypatch, ball_config, settings, spared
):
    seen = []
    monkeypatch.setattr(
        devices, "shared_among", lambda *args: seen.append(args)
    )
    assert devices.strategy_for(ball_config(**settings)) is None
    assert seen == [("auto", 2, spared)]
