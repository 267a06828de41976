"""The training benchmark runs, and the two networks it compares agree."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_quick_benchmark_reports_figures_of_steps_that_agree():
    done = subprocess.run(
        [sys.executable, "apps/benchmarks/training.py", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    table = done.stdout.partition("\nnormalization ")[2]
    row = re.search(r"^float32 +(.*)$", table, re.MULTILINE)
    ours, keras, ratio, *results = row.group(1).replace(",", "").split()
    assert float(ratio) == pytest.approx(float(keras) / float(ours), abs=0.02)
    assert results[0] == "1"
    row = re.search(r"^median +(.*)$", done.stdout, re.MULTILINE)
    limit, ours, share, torch, ratio = map(float, row.group(1).split())
    assert limit > 0 and ours > 0
    assert share == pytest.approx(limit / ours, abs=0.02)
    if importlib.util.find_spec("torch") is None:
        assert "torch skipped" in done.stdout
        assert str(torch) == str(ratio) == "nan"
        return
    difference = re.search(r"differ by (\S+) of the way", done.stdout).group(1)
    # Rounding alone: 3e-4. Momentum 0.9: 0.09; half the L2: 0.29; no
    # look-ahead: 0.33.
    assert float(difference) < 0.01
    assert ratio == pytest.approx(torch / ours, rel=0.02)
