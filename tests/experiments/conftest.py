"""Comparisons whose runs were written by hand."""

import json

import pytest

from keras_isample.experiments import Arm
from keras_isample.experiments import Comparison
from keras_isample.training.history import write_history


@pytest.fixture
def comparison(tmp_path, ball_data, ball_settings):
    """Two arms of four epochs of 3 steps, seeds 0 and 1, nothing trained."""
    arms = [
        Arm("a", "isample", {"sampling": "isample", "epsilon": 0.1}, (0, 1)),
        Arm("b", "uniform", {"sampling": "uniform"}, (0, 1)),
    ]
    settings = {**ball_settings, "epochs": 4}
    return Comparison(tmp_path / "runs", ball_data, settings, arms)


@pytest.fixture
def pretend(comparison):
    """Function that writes a finished run with the Dice of each epoch."""

    def write(arm, seed, dice, *, test_dice=None, finished=True):
        folder = comparison.run_folder(arm, seed)
        config = comparison.config(arm, seed)
        (folder.path / "checkpoint").mkdir(parents=True)
        folder.config_file.write_text(config.to_toml())
        facts = {"cases": {"test": ["x"]}, "best_val_dice": max(dice)}
        facts["commits"] = [f"commit{seed}"]
        if finished:
            facts["finished"] = "today"
        folder.manifest_file.write_text(json.dumps(facts))
        rows = [
            {
                "epoch": epoch,
                "step": 3 * epoch,
                "val_dice": value,
                "loss": 1 / epoch,
                "acceptance_rate": 1 - 0.1 * epoch,
                "seconds_training": 30.0,
                "seconds_error_maps": 15.0 * (arm.title == "isample"),
                "seconds_validation": 15.0,
            }
            for epoch, value in enumerate(dice, start=1)
        ]
        write_history(folder.history_file, rows, ["ball"])
        if test_dice is not None:
            path = folder.evaluation("test") / "summary.json"
            path.parent.mkdir(parents=True)
            summary = {
                "foreground_mean": {"Dice": test_dice},
                "mean": {"1": {"Dice": test_dice}},
                "labels": {"1": "ball"},
                "metric_per_case": [{}],
            }
            path.write_text(json.dumps(summary))

    return write
