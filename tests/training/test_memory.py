"""What a training step takes, and what there is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_isample.errors import InputError
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.geometry import PlainGeometry
from keras_isample.models.geometry import SliceGeometry
from keras_isample.training import memory
from keras_isample.training.memory import OutOfMemory
from keras_isample.training.memory import check_step
from keras_isample.training.memory import step_bytes
from keras_isample.training.memory import within_memory


def counted(*, dtype="float32"):
    """A network whose maps are counted easily."""
    image = keras.Input((None, None, None, 1), name="image")
    x = keras.layers.Conv3D(5, 1, use_bias=False, dtype=dtype)(image)
    x = keras.layers.MaxPooling3D(2, dtype=dtype)(x)
    return keras.Model(image, x)


def test_all_maps_are_counted_and_the_copies_of_weights():
    # The image, the convolution's and the pooling's maps; five weights.
    maps = 3 * (4**3 * 1 + 4**3 * 5 + 2**3 * 5)
    size = step_bytes(counted(), PlainGeometry(4), 3, 1)
    assert size == 4 * maps + 4 * 4 * 5


def test_halves_take_half():
    maps = 4 * 4**3 * 1 + 2 * (4**3 * 5 + 2**3 * 5)
    model = counted(dtype="mixed_bfloat16")
    assert step_bytes(model, PlainGeometry(4), 1, 1) == maps + 4 * 4 * 5


@pytest.mark.parametrize(
    "model, geometry",
    [
        (lambda: dual_path_resnet(3, width=0.1), DualPathGeometry(8)),
        (
            lambda: unet(3, input_shape=(None, None, 1), width=0.1),
            SliceGeometry(32, 1),
        ),
    ],
)
def test_size_grows_with_the_batch(model, geometry):
    model = model()
    sizes = [step_bytes(model, geometry, n, 1) for n in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


@pytest.fixture
def memory_of(monkeypatch):
    """Function that sets the memory of this machine."""

    def set_to(machine, *, left=None, gpus=(), gpu=None):
        monkeypatch.setattr(memory, "machine_memory", lambda: machine)
        monkeypatch.setattr(memory, "address_space_left", lambda: left)
        monkeypatch.setattr(memory, "gpu_memory", lambda number: gpu)
        monkeypatch.setattr(
            tf.config, "list_logical_devices", lambda kind: list(gpus)
        )

    return set_to


def check(batch_size=1000):
    # About 4 * 1000 * 424 * 4096 bytes: 6.9 GB.
    check_step(counted(), PlainGeometry(64), batch_size, 1)


def test_step_that_does_not_fit_is_refused_with_what_to_change(memory_of):
    memory_of(6_000_000_000)
    text = (
        r"^`batch_size`: a training step on 1000 patches of 64x64x64 voxels "
        r"takes about 6\.\d GB, and this machine has 5\.2 GB\. Use a smaller "
        r"`batch_size`, `patch_size` or `width`\.$"
    )
    with pytest.raises(InputError, match=text):
        check()


def test_step_that_may_fit_is_let_through(memory_of):
    memory_of(7_000_000_000)
    check()
    memory_of(6_000_000_000)
    check(100)


def test_limit_of_the_process_counts(memory_of):
    memory_of(1 << 50, left=6_000_000_000)
    with pytest.raises(InputError, match=r"\(ulimit -v\) leaves 5\.8 GB"):
        check()
    memory_of(1 << 50, left=9_000_000_000)
    check()


def test_gpu_has_its_own_memory(memory_of):
    memory_of(1 << 20, gpus=["GPU:0"], gpu=10_000_000_000)
    check()
    memory_of(1 << 50, gpus=["GPU:0"], gpu=5_000_000_000)
    with pytest.raises(InputError, match="the GPU has 5.0 GB"):
        check()
    memory_of(1 << 50, gpus=["GPU:0"])
    check()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((9,), np.dtype("f8")),
        tf.errors.ResourceExhaustedError(
            None, None, "OOM when allocating tensor with shape[9]\n[[node]]"
        ),
        tf.errors.AbortedError(
            None,
            None,
            "Operation received an exception:Status: 1, message: could not "
            "create a primitive, in file tensorflow/mkl.cc:1112",
        ),
        tf.errors.InternalError(None, None, "what():  std::bad_alloc"),
    ],
)
def test_allocation_that_failed_is_one_line(error):
    with pytest.raises(OutOfMemory, match=r"^memory: is used up \(.*\)\. Use"):
        with within_memory():
            raise error


def test_other_errors_stay_as_they_are():
    error = tf.errors.ResourceExhaustedError(None, None, "queue is full")
    with pytest.raises(tf.errors.ResourceExhaustedError), within_memory():
        raise error
