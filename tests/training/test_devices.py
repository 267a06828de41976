"""Several devices that share each batch."""

import json
import subprocess
import sys

import pytest

from keras_isample.errors import InputError
from keras_isample.training import devices
from keras_isample.training.devices import strategy_for

# Devices are made when TensorFlow starts: a process of its own.
TRAIN = """
import json, sys
import keras
from keras_isample.config import Config
from keras_isample.training import fit
from keras_isample.training.run_folder import RunFolder

settings, data, run = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
import keras_isample.models.dual_path as dual_path
from keras import layers
# Every replica draws its own share of dropout.
layers.Dropout = lambda rate, name: layers.Identity(name=name)
fit(Config.from_settings(data, settings), run)
"""


@pytest.fixture(scope="module")
def histories(tmp_path_factory, ball_data, ball_settings):
    """Histories of a run on one device and of one on two."""
    folder = tmp_path_factory.mktemp("devices")
    found = []
    for names in ("cpu", "cpu:0,cpu:1"):
        run = folder / names.replace(":", "").replace(",", "-")
        settings = {
            **ball_settings,
            "batch_size": 4,
            "devices": names,
            "weight_decay": 0.01,
        }
        subprocess.run(
            [sys.executable, "-c", TRAIN]
            + [json.dumps(settings), str(ball_data), str(run)],
            check=True,
        )
        from keras_isample.training.history import read_history

        found.append((run, read_history(run / "history.csv")))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "column", ["loss", "loss_total", "mean_error", "learning_rate", "val_dice"]
)
def test_two_devices_train_as_one(histories, column):
    (_, one), (_, two) = histories
    assert len(one) == len(two) == 3
    # Sums in another order are amplified from step to step.
    for first, second in zip(one, two, strict=True):
        assert second[column] == pytest.approx(
            first[column], rel=0.02, abs=0.01
        )


@pytest.mark.slow
def test_first_epoch_agrees_within_rounding(histories):
    (_, one), (_, two) = histories
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-4)


@pytest.mark.slow
def test_model_of_two_devices_is_loaded_on_one(histories):
    import keras

    run, _ = histories[1]
    model = keras.models.load_model(run / "model.keras")
    assert model.metadata["network"] == "dual-path"
    assert model.count_params() > 0


def test_single_cpu_needs_no_strategy():
    assert strategy_for("cpu", 3) is None
    assert strategy_for("cpu:0", 3) is None


def test_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="gpu:0 is not there"):
        strategy_for("gpu:0", 4)


def test_words_that_are_no_device_are_refused():
    with pytest.raises(InputError, match="--devices"):
        strategy_for("fast one", 4)


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
