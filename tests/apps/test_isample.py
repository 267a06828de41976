"""The sampling experiment at a tiny size, killed and started again."""

import csv
import os
import time

import numpy as np
import pytest

from keras_isample.figures.canvas import COLORS
from keras_isample.training.history import read_history

pytestmark = pytest.mark.slow

RUNS = (
    "isample-epsilon0.01-seed0",
    "uniform-seed0",
    "isample-epsilon1-seed0",
    "isample-epsilon0.01-seed1",
    "uniform-seed1",
    "isample-epsilon0.01-rate0.02-seed0",
    "isample-epsilon0.01-rate0.02-seed1",
    "uniform-rate0.02-seed0",
    "uniform-rate0.02-seed1",
)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def stamps(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_killed_and_started_again(
    tmp_path, start_app, settings_file, finish, capsys
):
    out = tmp_path / "out"
    options = ["isample", "--config", settings_file(split="2,1,1")]
    options += ["--out", out, "--cases", 4, "--side", 32]
    options += ["--seeds", 2, "--epsilons", "0.01,1"]
    options += ["--learning-rates", "0.02"]
    process = start_app(*options)
    folder = out / "phantom"
    second = folder / "runs" / RUNS[1] / "history.csv"
    limit = time.monotonic() + 900
    while not second.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.kill()
    process.communicate()
    first = stamps(folder / "runs" / RUNS[0])
    printed = finish(start_app(*options))
    assert stamps(folder / "runs" / RUNS[0]) == first
    assert printed.splitlines()[-1] == str(folder / "report.md")
    assert sorted(os.listdir(folder / "runs")) == sorted(RUNS)

    histories = {
        run: read_history(folder / "runs" / run / "history.csv") for run in RUNS
    }
    assert all(len(rows) == 3 for rows in histories.values())
    _check_curves(read_csv(folder / "curves.csv"), histories)
    _check_dice(read_csv(folder / "dice_at_steps.csv"), histories)
    _check_pictures(folder)
    # All is there: only the report is written again.
    before = stamps(folder / "runs")
    assert finish(start_app(*options)) == printed
    assert stamps(folder / "runs") == before


def _check_curves(rows, histories):
    uniform = [row for row in rows if row["sampling"] == "uniform"]
    assert [row["step"] for row in uniform] == ["3", "6", "9"]
    pairs = zip(histories[RUNS[1]], histories[RUNS[4]], strict=True)
    for row, pair in zip(uniform, pairs, strict=True):
        for column in ("loss", "val_dice", "val_dice_kidney"):
            values = [run[column] for run in pair]
            assert float(row[column]) == pytest.approx(np.mean(values))
            spread = np.std(values, ddof=1)
            assert float(row[f"{column} std"]) == pytest.approx(spread)


def _check_dice(rows, histories):
    assert [row["sampling"] for row in rows] == ["isample", "uniform"]
    assert [row["runs"] for row in rows] == ["2", "2"]
    last = [histories[run][-1]["val_dice"] for run in (RUNS[0], RUNS[3])]
    assert float(rows[0]["9 steps"]) == pytest.approx(np.mean(last))
    # A quarter of 9 steps is before the first validation.
    assert rows[0]["2 steps"] == ""


def _check_pictures(folder):
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    for name in ("curves", "dice", "epsilon", "error_maps", "learning_rates"):
        pixels = imread(folder / f"{name}.png")[..., :3]
        assert min(pixels.shape[:2]) > 400
        assert pixels.std() > 0.05
        if name != "error_maps":
            for color in COLORS[:2]:
                found = np.abs(pixels - to_rgb(color)).max(axis=-1) < 0.02
                assert found.sum() > 100, name
