"""Numbers for TensorBoard."""

import importlib.util

import pytest

from keras_isample.callbacks.scalar_log import ScalarLog


def log(folder, *epochs):
    callback = ScalarLog(folder)
    callback.on_train_begin()
    for number, logs in enumerate(epochs):
        callback.on_epoch_end(number, logs)
    callback.on_train_end()


def test_every_epoch_is_found_by_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    log(tmp_path, {"loss": 0.5, "val_dice": float("nan")}, {"loss": 0.25})
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["tensors"] == ["loss"]
    found = [
        (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("loss")
    ]
    assert found == [(1, 0.5), (2, 0.25)]


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    log(tmp_path / "logs", {"loss": 0.5})
    assert not (tmp_path / "logs").exists()
