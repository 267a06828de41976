"""The comparison of losses runs and agrees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_losses_agree_with_monai_and_torch():
    pytest.importorskip("monai")
    done = subprocess.run(
        [sys.executable, "apps/benchmarks/losses.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count(" 2D ") == done.stdout.count(" 3D ") == 16
