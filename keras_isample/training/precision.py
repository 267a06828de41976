"""The type of a run's arithmetic, on the devices that it trains on."""

import os
from dataclasses import replace

import tensorflow as tf

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.processor import VARIABLE
from keras_isample.processor import computes_bfloat16
from keras_isample.processor import describe_processor
from keras_isample.processor import gains_by_bfloat16
from keras_isample.processor import instruction_set
from keras_isample.processor import uses_onednn

_BFLOAT16_CAPABILITY = (8, 0)
"""Compute capability from which on GPUs of NVIDIA compute bfloat16."""


def with_precision(config: Config) -> Config:
    """Settings whose `mixed_precision` is decided, and can be computed.

    `"auto"` becomes `"bfloat16"` where all devices of the run compute it fast,
    and `"none"` elsewhere.

    Args:
        config: All settings.

    Raises:
        InputError: If `"bfloat16"` was chosen and a device does not compute
            it.
    """
    chosen = config.training.mixed_precision
    if chosen == "bfloat16":
        _check_bfloat16(config.training.devices)
    if chosen != "auto":
        return config
    gains = all(
        gains_by_bfloat16() if gpu is None else _gpu_computes(gpu)
        for gpu in _gpus_of(config.training.devices)
    )
    decided = replace(
        config.training, mixed_precision="bfloat16" if gains else "none"
    )
    return replace(config, training=decided)


def describe_arithmetic(config: Config) -> str:
    """A line on the processor and the type of the arithmetic.

    Args:
        config: What `with_precision` returned.
    """
    chosen = config.training.mixed_precision
    kind = "float32" if chosen == "none" else chosen
    return f"{describe_processor()}; arithmetic in {kind}"


def _check_bfloat16(devices):
    for gpu in _gpus_of(devices):
        if gpu is None and not computes_bfloat16():
            if VARIABLE in os.environ and not uses_onednn():
                raise InputError(
                    "`mixed_precision`",
                    "is bfloat16, which the processor computes by oneDNN "
                    f"alone, and {VARIABLE} is {os.environ[VARIABLE]}",
                    f"Set {VARIABLE}=1",
                )
            place = f"this processor ({instruction_set()})"
        elif gpu is not None and not _gpu_computes(gpu):
            place = gpu.name
        else:
            continue
        raise InputError(
            "`mixed_precision`",
            f"is bfloat16, which {place} does not compute",
            "Start a new run with `mixed_precision='auto'` or none",
        )


def _gpus_of(devices):
    """GPUs that a run trains on; `[None]` if it trains on the processor."""
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "auto":
        return gpus or [None]
    names = [name.lower() for name in devices]
    chosen = ["gpu:0" if name == "gpu" else name for name in names]
    found = [gpu for i, gpu in enumerate(gpus) if f"gpu:{i}" in chosen]
    on_processor = any(name.startswith("cpu") for name in chosen)
    return found + [None] * (on_processor or not found)


def _gpu_computes(gpu):
    details = tf.config.experimental.get_device_details(gpu)
    capability = details.get("compute_capability")
    return capability is not None and capability >= _BFLOAT16_CAPABILITY
