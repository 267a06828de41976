"""Scans that several devices predict together."""

import subprocess
import sys

import numpy as np
import pytest

from keras_isample.inference.base import Predictor
from keras_isample.inference.several_devices import SharingPredictor

# Devices are made when TensorFlow starts: a process of its own.
PREDICT = """
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 3
)

import keras
from keras_isample import models
from keras_isample.callbacks.predicted_errors import predicted_errors
from keras_isample.inference import predictor_for
from keras_isample.inference.predictor import check_scan, share_among
from keras_isample.volumes.scan import Scan

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

def make_scan(*shape):
    stored = rng.integers(-300, 300, (1, *shape)).astype("int16")
    stored[:, 30:] = -1000
    return Scan(stored, (1 / 218,), (0.0,), (-1000,))

scan, long = make_scan(47, 40, 38), make_scan(24, 24, 200)
boxes = [
    (slice(0, 16), slice(8, 24), slice(32, 38)),
    (slice(16, 32), slice(0, 40), slice(0, 32)),
    (slice(32, 47), slice(32, 40), slice(16, 32)),
]

def slices(axis):
    model = models.unet(3, width=0.1)
    model.metadata["axis"] = axis
    return model

def check(model, memory, boxes, network, scan=scan):
    share_among(model, [])
    one = predictor_for(model, memory)
    where = {"scan": scan, "boxes": boxes}
    expected = [(s, np.array(p)) for s, p in one.tiles(**where)]
    for count in (2, 3):
        devices = [f"cpu:{i}" for i in range(count)]
        share_among(model, devices)
        several = predictor_for(model, memory)
        for turn in range(3):
            found = list(several.tiles(**where))
            assert [s for s, _ in found] == [s for s, _ in expected], network
            for (_, a), (_, b) in zip(found, expected, strict=True):
                assert np.array_equal(a, b), network
            counts = several.tile_counts
            assert max(counts) - min(counts) <= 1, (network, counts)
        assert min(counts) >= 3, network
        assert predictor_for(model, memory) is several
        check_scan(model, scan.shape, memory)
        second = several._predictors[1]
        if hasattr(second, "_network"):
            folded = second._network._folded
        else:
            folded = second._parts._trunk
        assert "CPU:1" in folded.model.weights[0].value.device
        # Later weights are those of all devices.
        weights = model.get_weights()
        model.set_weights([w * 0.9 for w in weights])
        changed = [np.array(p) for _, p in several.tiles(**where)]
        again = [np.array(p) for _, p in one.tiles(**where)]
        assert all(map(np.array_equal, changed, again)), network
        assert not np.array_equal(again[0], expected[0][1])
        model.set_weights(weights)

dual = models.dual_path_resnet(3, width=0.3)
check(dual, 8 << 20, None, "dual path")
check(dual, 8 << 20, boxes, "dual path, boxes")
plain = models.unet(3, input_shape=(None,) * 3 + (1,), width=0.1)
check(plain, 16 << 20, None, "3D U-Net", long)
for axis in range(3):
    check(slices(axis), 3 << 20, None, f"slices {axis}")
some = [(slice(0, 47), slice(a, a + 9), slice(0, 38)) for a in (2, 20)]
check(slices(1), 1 << 20, some, "boxes of slices")

case = SimpleNamespace(
    scan=lambda: scan,
    labels=lambda: labels,
    trained_labels=lambda labels: labels,
    merged=(),
)
labels = rng.integers(0, 3, scan.shape).astype("uint8")
for where in (None, boxes):
    maps = []
    for count in (0, 2, 3):
        share_among(dual, [f"cpu:{i}" for i in range(count)])
        levels = np.zeros(scan.shape, "uint8")
        small = {"tile_memory": 8 << 20}
        errors = predicted_errors(dual, case, (1, 2), where, **small)
        for start, tile in errors:
            place = [slice(a, a + n) for a, n in zip(start, tile.shape)]
            levels[tuple(place)] = tile
        maps.append(levels)
    assert maps[0].any()
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])
"""


@pytest.mark.slow
def test_tiles_and_maps_of_two_and_three_devices_are_those_of_one():
    done = subprocess.run(
        [sys.executable, "-c", PREDICT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


class Numbers(Predictor):
    """A predictor whose tiles are numbers; the `wrong`-th one fails."""

    num_classes = 2

    def __init__(self, wrong=None, made=None):
        self.wrong = wrong
        self.made = [] if made is None else made

    def pieces(self, scan, boxes=None, part=(0, 1)):
        value = np.zeros(1)
        for number in range(*part[:1], scan, part[1]):
            if number == self.wrong:
                raise OSError("no such tile")
            self.made.append(number)
            value[0] = number
            # The same memory for each, as the dual-path network's.
            yield (number, 0, 0), value


def test_results_come_in_order_and_are_not_overwritten():
    predictor = SharingPredictor(Numbers, ["cpu:0"] * 3)
    found = list(predictor.tiles(8))
    assert [start[0] for start, _ in found] == list(range(8))
    assert [values[0] for _, values in found] == list(range(8))


def test_devices_take_turns_over_several_scans():
    predictor = SharingPredictor(Numbers, ["cpu:0"] * 3)
    for tiles in (4, 1, 5, 0, 7, 2):
        list(predictor.tiles(tiles))
        assert sum(predictor.tile_counts) > 0
        counts = predictor.tile_counts
        assert max(counts) - min(counts) <= 1


def test_an_error_of_one_device_reaches_the_caller():
    predictor = SharingPredictor(lambda: Numbers(wrong=5), ["cpu:0"] * 2)
    found = []
    with pytest.raises(OSError, match="no such tile"):
        for start, _ in predictor.tiles(9):
            found.append(start[0])
    assert found == [0, 1, 2, 3, 4]


def test_devices_stop_when_nobody_asks_any_more():
    made = []
    predictor = SharingPredictor(lambda: Numbers(made=made), ["cpu:0"] * 2)
    tiles = predictor.tiles(1000)
    next(tiles)
    tiles.close()
    count = len(made)
    assert count < 10
    # It can be asked again.
    assert len(list(predictor.tiles(3))) == 3
    assert len(made) == count + 3
