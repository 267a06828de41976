"""A run whose disk or memory is full: one line, and nothing half done."""

import errno
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_isample.errors import InputError
from keras_isample.training import memory
from keras_isample.training.memory import OutOfMemory
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.trainer import Trainer
from keras_isample.volumes.files import DiskFull

NO_MEMORY = tf.errors.ResourceExhaustedError(
    None, None, "OOM when allocating tensor with shape[9]"
)
NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
NUMPY_NO_SPACE = OSError("9 requested and 3 written")


@pytest.fixture
def failing_training(monkeypatch):
    """Function that has the training fail, after an epoch or before."""

    def set_to(error, *, begun):
        def train(self, folder, *arguments, **options):
            if begun:
                folder.history_file.write_text("epoch\n1\n")
            raise error

        monkeypatch.setattr(Trainer, "train", train)

    return set_to


@pytest.mark.parametrize(
    "error, kind",
    [
        (NO_MEMORY, OutOfMemory),
        (MemoryError(), OutOfMemory),
        (NO_SPACE, DiskFull),
        (NUMPY_NO_SPACE, DiskFull),
    ],
)
def test_before_the_first_epoch_nothing_is_left(
    tmp_path, ball_config, failing_training, error, kind
):
    failing_training(error, begun=False)
    with pytest.raises(kind):
        fit(ball_config(), tmp_path / "run")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "error, text",
    [
        (NO_MEMORY, "^memory: .*Close other programs, then continue with `re"),
        (NO_SPACE, "/run: No space .*Free some space there, then continue wi"),
    ],
)
def test_after_an_epoch_the_run_stays_and_says_how_to_go_on(
    tmp_path, ball_config, failing_training, error, text
):
    failing_training(error, begun=True)
    with pytest.raises(InputError, match=text):
        fit(ball_config(), tmp_path / "run")
    assert (tmp_path / "run/config.toml").exists()


def test_step_that_does_not_fit_leaves_nothing(
    tmp_path, ball_config, monkeypatch
):
    monkeypatch.setattr(memory, "machine_memory", lambda: 850_000_000)
    with pytest.raises(InputError, match="^`batch_size`: a training step on"):
        fit(ball_config(batch_size=16), tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_step_that_does_not_fit_does_not_cost_an_older_run(
    tmp_path, ball_config, monkeypatch
):
    monkeypatch.setattr(memory, "machine_memory", lambda: 850_000_000)
    folder = RunFolder(tmp_path / "run")
    folder.create(ball_config(), {})
    folder.model_file.write_text("older model")
    with pytest.raises(InputError, match="^`batch_size`: "):
        fit(ball_config(batch_size=16), tmp_path / "run", overwrite=True)
    assert folder.model_file.read_text() == "older model"


@pytest.mark.slow
def test_disk_that_fills_up_at_an_error_map_costs_nothing(
    tmp_path, ball_config, ball_run, monkeypatch, assert_same_end
):
    real, calls = os.posix_fallocate, []

    def full(*arguments):
        if (tmp_path / "run/history.csv").exists():
            # In the second map of the second epoch.
            calls.append(arguments)
            if len(calls) == 3:
                raise NO_SPACE
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(DiskFull, match="needs .* MB: .*`resume=True`"):
            fit(ball_config(), tmp_path / "run")
    fit(ball_config(), tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", ball_run.path)


def test_name_that_is_no_text_is_refused(tmp_path, ball_config):
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"b\xff"))
    with pytest.raises(InputError, match="not UTF-8"):
        fit(ball_config(), path)
    with pytest.raises(InputError, match="not UTF-8"):
        fit(ball_config(path), tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_estimate_is_of_the_size_of_what_a_step_takes():
    # The default network; measured: 0.87 GB, with 0.82 GB of maps.
    from keras_isample.models import dual_path_resnet
    from keras_isample.models.dual_path_geometry import DualPathGeometry

    model = dual_path_resnet(3)
    size = memory.step_bytes(model, DualPathGeometry(8), 12, 1)
    assert size == pytest.approx(0.85e9, rel=0.05)
    assert isinstance(size, int | np.integer)
