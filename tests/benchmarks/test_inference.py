"""The inference benchmark runs, and what it compares agrees."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_quick_size():
    path = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    done = subprocess.run(
        [sys.executable, ROOT / "apps/benchmarks/inference.py", "--quick"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    rows = dict(
        re.findall(r"^ *(\S.*?)  +(\d+\.\d+ +.*)$", done.stdout, re.MULTILINE)
    )
    for name in ("bare convolutions", "keras-isample"):
        assert all(float(value) > 0 for value in rows[name].split())
    differences = [
        float(value)
        for value in re.findall(r"differ by at most (\S+?);?\s", done.stdout)
    ]
    assert differences and max(differences) < 1e-5
    rival = [name for name in rows if name.startswith("MONAI")]
    assert rival or "MONAI sliding window: skipped (" in done.stdout
    assert len(differences) == (2 if rival else 1)
