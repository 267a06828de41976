"""What tests of the programs in apps/ need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

APPS = Path(__file__).resolve().parents[2] / "apps"
SETTINGS = """
labels = "kidney"
spacing = "12,12,12"
patch_size = 8
batch_size = 2
width = 0.3
optimizer = "adamw"
learning_rate = 0.003
warmup_epochs = 1
epochs = 3
steps_per_epoch = 3
validate_every = 1
error_map_cases = "all"
"""


@pytest.fixture
def run_benchmark():
    """Function that runs `apps/benchmarks/<name>.py` to its end."""

    def run(name, *options):
        others = filter(None, [os.environ.get("PYTHONPATH")])
        path = os.pathsep.join([str(APPS.parent), *others])
        return subprocess.run(
            [sys.executable, APPS / f"benchmarks/{name}.py", *options],
            cwd=APPS.parent,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def start_app():
    """Function that starts `apps/<name>/train.py`; killed after the test."""
    started = []

    def start(name, *options):
        process = subprocess.Popen(
            [sys.executable, APPS / name / "train.py", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def settings_file(tmp_path):
    """Function that writes settings of a run of seconds, with some changed."""

    def write(**changed):
        lines = [
            line
            for line in SETTINGS.strip().splitlines()
            if line.split(" = ")[0] not in changed
        ]
        lines += [
            f"{name} = {json.dumps(value, default=str)}"
            for name, value in changed.items()
        ]
        path = tmp_path / "settings.toml"
        path.write_text("\n".join(lines))
        return path

    return write


@pytest.fixture
def finish():
    """Function that waits for a program and returns what it printed."""

    def wait(process):
        out, err = process.communicate(timeout=1500)
        assert process.returncode == 0, err
        return out

    return wait
