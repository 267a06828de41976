"""The benchmark of slices runs and reports positive figures."""

import re

import pytest


@pytest.mark.slow
def test_quick_size(run_benchmark):
    done = run_benchmark("slices", "--quick")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = dict(re.findall(r"^(\w.*?) +(\S+) s +\S+ x$", done.stdout, re.M))
    names = {"epoch", "network alone", "input alone", "input alone, CPU"}
    assert set(rows) == names
    assert all(float(seconds) > 0 for seconds in rows.values())
