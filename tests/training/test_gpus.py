"""GPUs that are left to others."""

import pytest

from keras_isample.training.gpus import spare_gpu


@pytest.mark.parametrize(
    ("visible", "devices", "spare"),
    [
        ("", "auto", None),
        ("0", "auto", None),
        ("0,1", "auto", "1"),
        ("4,2,7", "auto", "7"),
        ("0,1", ("gpu:0",), "1"),
        ("5,6", ("GPU:1",), "5"),
        ("0,1", ("gpu",), "1"),
        ("0,1,2", ("gpu:0", "gpu:2"), "1"),
        ("0,1", ("gpu:0", "gpu:1"), None),
        # Whoever trains on the CPU may not have the GPUs.
        ("0,1", ("cpu",), None),
    ],
)
def test_last_gpu_that_training_leaves(monkeypatch, visible, devices, spare):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert spare_gpu(devices) == spare
