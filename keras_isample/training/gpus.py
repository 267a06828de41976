"""Which GPUs this process may use, told without TensorFlow."""

import os
import shutil
import subprocess

_PATIENCE = 20
"""Seconds for a driver that does not answer."""


def spare_gpu(devices):
    """A GPU that training leaves to the error maps; `None` if there is none.

    Args:
        devices: The setting `--devices`: with `"auto"` the last of several is
            left; of those that are named, the last that is not; without any
            GPU among them none is taken, either.
    """
    gpus = visible_gpus()
    if devices == "auto":
        return gpus[-1] if len(gpus) > 1 else None
    used = [name.strip().lower() for name in devices.split(",")]
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
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return []
    if answer.returncode:
        return []
    return answer.stdout.split()
