"""How much memory a training step takes, and whether there is as much.

A step that does not fit is refused before it begins: the system would end the
process without a word, minutes later.
"""

import contextlib
import math
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from keras_isample.errors import InputError
from keras_isample.errors import reason_of_no_memory
from keras_isample.models.layer_uses import layer_uses
from keras_isample.training.gpus import gpu_memory
from keras_isample.volumes.memory import address_space_left
from keras_isample.volumes.memory import machine_memory

_PROCESS = 800_000_000
"""Bytes of Python and TensorFlow before the first step (measured: 0.8 to 1
GB)."""

_COPIES = 4
"""Of each weight, without itself: gradient, momentum, and what the update makes
(measured: 4 to 5)."""

_MARGIN = 1.2
"""Times the memory of a machine or a GPU that the estimate may reach: it was
1.0 to 1.2 times too large or small for large steps."""

_THREADS = 200_000_000
"""Bytes of address space for the threads of a step. What it maps is 1.2 to 2
times what it uses, unlike the memory of a machine."""

_CURE = "Use a smaller `batch_size`, `patch_size` or `width`"


class OutOfMemory(InputError):
    """There is no memory left."""


def check_step(model, geometry, batch_size, num_channels, strategy=None):
    """Refuses a training step that does not fit into the memory.

    Args:
        model: The model to train.
        geometry: Sides of the inputs, such as a `PlainGeometry`.
        batch_size: Patches per step.
        num_channels: Channels of the scans.
        strategy: The `tf.distribute.Strategy`, if there is one.

    Raises:
        InputError: If it takes more than there is by a clear margin.
    """
    gpus, replicas = _gpus_of(strategy)
    share = -(-batch_size // replicas) if gpus else batch_size
    size = step_bytes(model, geometry, share, num_channels)
    for words, space, factor in _spaces(gpus):
        if factor * size > space:
            sides = "x".join(str(n) for n in geometry.labels.size if n > 1)
            raise InputError(
                "`batch_size`",
                f"a training step on {share} patches of {sides} voxels takes "
                f"about {_gigabytes(max(1.0, factor) * size)}, and {words} "
                f"{_gigabytes(space)}",
                _CURE,
            )


def _spaces(gpus):
    """What there is: words, bytes, and how much of a step must fit."""
    if gpus:
        for memory in map(gpu_memory, gpus):
            if memory is not None:
                yield "the GPU has", memory, 1 / _MARGIN
        return
    left = address_space_left()
    if left is not None:
        space = left - _THREADS
        words = "the limit of this process (ulimit -v) leaves"
        yield words, space, _MARGIN
    yield "this machine has", machine_memory() - _PROCESS, 1 / _MARGIN


def step_bytes(model, geometry, batch_size, num_channels):
    """About how many bytes a training step takes.

    What every layer puts out, once: about two thirds of it are kept for the
    way back, and the rest is the gradients that are made there. In float32
    with oneDNN, steps of the dual-path network and of 3D U-Nets took 1.0 to
    1.3 times as much, small ones of 2D networks 1.4 to 1.7 times; bfloat16
    takes 1.6 times as much, and 3D U-Nets without oneDNN 3.5 times.

    Args:
        model: A functional model.
        geometry, batch_size, num_channels: As of `check_step`.
    """
    shapes = geometry.input_shapes(num_channels, batch_size)
    maps = [
        keras.KerasTensor(shape, tensor.dtype)
        for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]
    for use in layer_uses(model, shapes):
        maps += use.outputs
    weights = sum(_bytes(weight) for weight in model.weights)
    return sum(map(_bytes, maps)) + _COPIES * weights


@contextlib.contextmanager
def within_memory(cure: str = _CURE) -> Iterator[None]:
    """Says in one line that the block has used up the memory.

    Args:
        cure: What to do about it.

    Raises:
        OutOfMemory: If an allocation failed in the block.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = reason_of_no_memory(error)
        if reason is None:
            raise
        raise OutOfMemory("memory", f"is used up ({reason})", cure) from error


def _gpus_of(strategy):
    """Numbers of the GPUs to train on, none on CPUs; and of all replicas."""
    if strategy is None:
        gpus = tf.config.list_logical_devices("GPU")[:1]
        return [0] * len(gpus), 1
    devices = strategy.extended.worker_devices
    gpus = [name for name in devices if "gpu:" in name.lower()]
    return [int(name.rpartition(":")[2]) for name in gpus], len(devices)


def _bytes(tensor):
    """Bytes of a tensor or variable of known shape."""
    dtype = str(tensor.dtype)
    # NumPy has no bfloat16.
    itemsize = 2 if "float16" in dtype else np.dtype(dtype).itemsize
    return math.prod(tensor.shape) * itemsize


def _gigabytes(size):
    return f"{size / 1e9:.1f} GB"
