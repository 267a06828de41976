"""Signs of life while `make` installs."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Copies itself where `-m venv` would, and takes as long as the test wants.
PROGRAM = """#!/bin/sh
case "$*" in
    "-m venv"*) mkdir -p env/bin && cp "$0" env/bin/python ;;
    *--editable*) cat gate > /dev/null; exit $(cat status) ;;
esac
"""

OUTER = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}

STEPS = [
    "installing (1 of 3): creating the environment env",
    "installing (2 of 3): upgrading pip",
    "installing (3 of 3): TensorFlow and the package (this takes about a "
    "minute with a warm cache)",
]


@pytest.fixture
def start(tmp_path):
    """Function that starts `make install` with a pip that ends as told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("setup.cfg", "pyproject.toml"):
        (tmp_path / name).touch()
    program = tmp_path / "python"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    os.mkfifo(tmp_path / "gate")

    # Of the `make` that runs the tests; as its child this one would talk.
    own = {k: v for k, v in os.environ.items() if k not in OUTER}
    processes = []

    def start(status):
        (tmp_path / "status").write_text(str(status))
        process = subprocess.Popen(
            ["make", "install", "PYTHON=./python", "VENV=env", "SIGN=1"],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=own,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        # A test that fails leaves a pip behind that waits for its gate.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("status, code", [(0, 0), (1, 2)])
def test_installing_shows_that_it_goes_on(tmp_path, start, status, code):
    process = start(status)
    steps, signs = [], 0
    # Signs of the earlier steps are welcome: the machine may be slow.
    while len(steps) < 3 or not signs:
        line = next(process.stdout).rstrip()
        if line.startswith("  still at it after "):
            signs += 1
        else:
            steps, signs = [*steps, line], 0
    assert steps == STEPS
    # Now pip ends, and so do the signs and the output.
    with open(tmp_path / "gate", "w"):
        pass
    rest = process.stdout.read()
    assert process.wait() == code
    assert ("Error 1" in rest) == bool(status)
    assert (tmp_path / "env/installed").exists() == (not status)
