"""The comparison of losses runs and agrees."""

import pytest


@pytest.mark.slow
def test_losses_agree_with_monai_and_torch(run_benchmark):
    pytest.importorskip("monai")
    done = run_benchmark("losses")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count(" 2D ") == done.stdout.count(" 3D ") == 16
