"""The inference benchmark runs, and what it compares agrees."""

import re

import pytest


@pytest.mark.slow
def test_quick_size(run_benchmark):
    done = run_benchmark("inference", "--quick")
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
