"""Which GPUs this process may use, told without TensorFlow."""

import os
import shutil
import subprocess

_PATIENCE = 20
"""Seconds for a driver that does not answer."""


def spare_gpu(devices):
    """A GPU that training leaves to the error maps; `None` if there is none.

    Args:
        devices: The setting `devices`: with `"auto"` the last of several is
            left; of those that are named, the last that is not; without any
            GPU among them none is taken, either.
    """
    gpus = visible_gpus()
    if devices == "auto":
        return gpus[-1] if len(gpus) > 1 else None
    used = [name.lower() for name in devices]
    used = ["gpu:0" if name == "gpu" else name for name in used]
    if not any(name.startswith("gpu") for name in used):
        return None
    free = [gpu for i, gpu in enumerate(gpus) if f"gpu:{i}" not in used]
    return free[-1] if free else None


def visible_gpus():
    """Indices or names of the GPUs that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        return [name for name in names if name and name != "-1"]
    return _ask("--query-gpu=index") or []


def gpu_memory(number):
    """Bytes of memory of a GPU; `None` if that is not known.

    Args:
        number: Which of the GPUs that this process may use, from 0.
    """
    gpus = visible_gpus()
    if number >= len(gpus):
        return None
    answer = _ask("--query-gpu=memory.total", "-i", gpus[number])
    if not answer or not answer[0].isdigit():
        return None
    return int(answer[0]) << 20


def _ask(*options):
    """Words that the driver's program answers; `None` without an answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, *options, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    return None if answer.returncode else answer.stdout.split()
