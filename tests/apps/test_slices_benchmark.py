"""The benchmark of slices runs and reports positive figures."""

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
        [sys.executable, "apps/benchmarks/slices.py", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = dict(re.findall(r"^(\w.*?) +(\S+) s +\S+ x$", done.stdout, re.M))
    names = {"epoch", "network alone", "input alone", "input alone, CPU"}
    assert set(rows) == names
    assert all(float(seconds) > 0 for seconds in rows.values())
