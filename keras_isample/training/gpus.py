"""Which GPUs this process may use, told without TensorFlow."""

import os
import shutil
import subprocess


def visible_gpus():
    """Indices or names of the GPUs that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        return [name for name in names if name and name != "-1"]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    answer = subprocess.run(
        [program, "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        return []
    return answer.stdout.split()
