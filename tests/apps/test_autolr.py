"""AutoLR against hand schedules, as a program."""

import csv
import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path, settings_file):
    config = settings_file(
        optimizer="sgd",
        epochs=2,
        split="1,1,0",
        executor="process",
        threads_per_member=1,
    )
    out = tmp_path / "out"
    small = ["--cases", 2, "--side", 48, "--seeds", 1, "--period", 1]
    return ["--config", config, "--out", out, *small], out / "phantom"


def test_all_ways_to_set_the_rate_are_compared(start_app, finish, options):
    options, folder = options
    said = finish(start_app("autolr", *options))
    assert "## Validation Dice" in said
    with open(folder / "dice.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rate"] for row in rows] == [
        "AutoLR",
        "0.05",
        "0.01",
        "0.005",
        "schedule A",
        "schedule B",
        "AutoLR, uniform",
        "schedule A, uniform",
        "schedule B, uniform",
    ]
    assert {row["runs"] for row in rows} == {"1"}
    for name in ("isample.png", "uniform.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    run = folder / "runs" / "autolr-seed0"
    record = json.loads((run / "autolr.json").read_text())
    assert len(record["periods"]) == 2
    assert (run / "figures" / "autolr.png").exists()
    assert json.loads((run / "manifest.json").read_text())["commits"]
