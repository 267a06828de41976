"""The sampling benchmark runs, and what it draws is right."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_quick_benchmark_draws_as_algorithm_1_and_reports_figures():
    done = subprocess.run(
        [sys.executable, "apps/benchmarks/sampling.py", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    drawn, expected = map(
        float, re.search(r"([\d.]+) drawn, ([\d.]+) by", done.stdout).groups()
    )
    # 9,600 draws: five standard deviations.
    assert 0 < expected < 1
    assert abs(drawn - expected) < 5 * (expected * (1 - expected) / 9600) ** 0.5
    rates = re.findall(r"augment=(\w+): (\d+) patches/s", done.stdout)
    assert [name for name, _ in rates] == ["False", "True"]
    assert all(int(rate) > 0 for _, rate in rates)
    assert "rivals skipped" in done.stdout
    assert re.search(r"default .* ms of CPU, [\d.]+ % of", done.stdout)
