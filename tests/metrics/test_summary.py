import json
import os

import numpy as np
import pytest

from keras_isample.metrics.evaluation import METRICS
from keras_isample.metrics.summary import format_table
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary

NAMES = ["background", "liver", "kidney"]


def case(name, liver, kidney, **kidney_metrics):
    """A case with the same value of each metric; None if not given."""
    metrics = {
        "1": dict.fromkeys(METRICS, liver),
        "2": dict.fromkeys(METRICS, kidney) | kidney_metrics,
    }
    return {
        "reference_file": f"labels/{name}.nii.gz",
        "prediction_file": f"predictions/{name}.nii.gz",
        "metrics": metrics,
    }


def many_cases(num_cases=12):
    rng = np.random.default_rng(5)
    return [case(str(i), *rng.uniform(0.6, 1.0, 2)) for i in range(num_cases)]


def test_means_leave_out_none():
    summary = summarize(
        [case("a", 0.8, None), case("b", 0.6, 0.9), case("c", 0.7, None)],
        NAMES,
    )
    assert summary["mean"]["1"]["Dice"] == pytest.approx(0.7)
    assert summary["mean"]["2"]["Dice"] == pytest.approx(0.9)


def test_foreground_mean_is_the_mean_of_the_structures():
    summary = summarize([case("a", 0.8, None), case("b", 0.6, 0.9)], NAMES)
    assert summary["foreground_mean"]["Dice"] == pytest.approx(0.8)
    assert list(summary["foreground_mean"]) == list(METRICS)


def test_structure_without_any_value_has_mean_none():
    summary = summarize([case("a", 0.8, None), case("b", 0.6, None)], NAMES)
    assert summary["mean"]["2"]["Dice"] is None
    assert summary["foreground_mean"]["Dice"] == pytest.approx(0.7)
    assert summary["confidence_interval_95"]["mean"]["2"]["Dice"] is None


def test_cases_and_labels_are_kept():
    cases = [case("a", 0.8, 0.7), case("b", 0.6, 0.9)]
    summary = summarize(cases, NAMES)
    assert summary["metric_per_case"] == cases
    assert summary["labels"] == {"1": "liver", "2": "kidney"}


def test_paths_become_text(tmp_path):
    one = case("a", 0.8, 0.7) | {"reference_file": tmp_path / "a.nii.gz"}
    summary = summarize([one], NAMES)
    written = summary["metric_per_case"][0]["reference_file"]
    assert written == str(tmp_path / "a.nii.gz")


def test_interval_holds_the_mean_and_is_as_wide_as_theory_says():
    cases = many_cases(40)
    summary = summarize(cases, NAMES)
    values = np.array([c["metrics"]["1"]["Dice"] for c in cases])
    low, high = summary["confidence_interval_95"]["mean"]["1"]["Dice"]
    assert low < summary["mean"]["1"]["Dice"] < high
    width = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert high - low == pytest.approx(width, rel=0.1)


def test_structures_of_a_case_are_drawn_together():
    # Each case has liver + kidney = 1.5: the mean of both never varies.
    cases = [case(str(i), 0.5 + i / 20, 1.0 - i / 20) for i in range(10)]
    interval = summarize(cases, NAMES)["confidence_interval_95"]
    low, high = interval["foreground_mean"]["Dice"]
    assert low == pytest.approx(high) == pytest.approx(0.75)
    low, high = interval["mean"]["1"]["Dice"]
    assert high - low > 0.1


def test_same_seed_same_interval():
    one, same, other = (
        summarize(many_cases(), NAMES, seed=seed)["confidence_interval_95"]
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other


def test_interval_needs_two_cases_with_a_value():
    interval = summarize([case("a", 0.8, 0.7)], NAMES)
    assert interval["confidence_interval_95"] == {
        "foreground_mean": {"Dice": None},
        "mean": {"1": {"Dice": None}, "2": {"Dice": None}},
    }
    interval = summarize([case("a", 0.8, 0.7), case("b", 0.7, None)], NAMES)
    interval = interval["confidence_interval_95"]
    assert interval["mean"]["1"]["Dice"] is not None
    assert interval["mean"]["2"]["Dice"] is None


def test_no_case_is_refused():
    with pytest.raises(ValueError, match="at least one case"):
        summarize([], NAMES)


def test_case_with_other_labels_is_refused():
    with pytest.raises(ValueError, match=r"\['1'\].*predictions/a"):
        summarize([case("a", 0.8, 0.7)], NAMES[:2])


def test_written_summary_is_read_back(tmp_path):
    summary = summarize([case("a", 0.8, None), case("b", 0.6, 0.9)], NAMES)
    path = tmp_path / "evaluation" / "test" / "summary.json"
    write_summary(path, summary)
    assert json.loads(path.read_text()) == summary
    assert os.listdir(path.parent) == ["summary.json"]


def test_summary_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("old")
    with pytest.raises(ValueError):
        write_summary(path, {"mean": float("nan")})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["summary.json"]


def test_table_has_a_row_per_structure_and_the_mean_last():
    lines = format_table(summarize(many_cases(), NAMES)).splitlines()
    starts = [line.split("  ")[0] for line in lines]
    assert starts == ["structure", "liver", "kidney", "foreground mean"]
    assert len({len(line) for line in lines}) == 1


def test_table_shows_dice_with_its_interval():
    summary = summarize([case("a", 0.8, None), case("b", 0.6, None)], NAMES)
    _, liver, kidney, mean = format_table(summary).splitlines()
    assert liver.split()[1:6] == ["2", "0.700", "(0.600", "to", "0.800)"]
    assert kidney.split()[1:] == ["0"] + ["-"] * 7
    assert mean.split()[2:4] == ["2", "0.700"]


def test_table_says_which_distances_come_from_fewer_cases():
    cases = [case("a", 0.8, 0.0, HD95=None, ASSD=None), case("b", 0.6, 0.9)]
    last = format_table(summarize(cases, NAMES)).splitlines()[-1]
    assert last.startswith("kidney: HD95 and ASSD are of 1 of 2 cases")


def test_labels_with_gaps_keep_their_numbers():
    one = case("a", 0.8, 0.7)
    one["metrics"] = {"4": one["metrics"]["1"], "9": one["metrics"]["2"]}
    summary = summarize([one], {4: "liver", 9: "kidney"})
    assert summary["labels"] == {"4": "liver", "9": "kidney"}
    assert summary["mean"]["9"]["Dice"] == 0.7
