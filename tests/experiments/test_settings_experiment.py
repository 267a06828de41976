"""Groups of ways of training, their report, and fine-tuning after."""

import json

import pytest

from keras_isample.config import Config
from keras_isample.experiments import Arm
from keras_isample.experiments import FineTuningExperiment
from keras_isample.experiments import Group
from keras_isample.experiments import SettingsExperiment


@pytest.fixture
def experiment(tmp_path, ball_data, ball_settings):
    ce = Arm("ce", "CE", {"loss": "ce"}, (0, 1))
    dice = Arm("dice", "Dice", {"loss": "dice"}, (0, 1))
    plain = Arm("plain", "not augmented", {"augment": False}, (0,))
    groups = [
        Group("losses", "Losses", (ce, dice)),
        Group("augmentation", "Augmentation", (ce, plain)),
    ]
    return SettingsExperiment(
        tmp_path, ball_data, ball_settings, groups, title="Balls"
    )


def test_an_arm_of_two_groups_is_trained_once(experiment):
    runs = [(arm.name, seed) for arm, seed in experiment.comparison.pairs()]
    assert sorted(runs) == sorted(
        [("ce", 0), ("dice", 0), ("plain", 0), ("ce", 1), ("dice", 1)]
    )


def test_report_of_nothing_says_so(experiment, tmp_path):
    said = []
    experiment.run(say=said.append, train=False)
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Balls")
    assert "## Losses: test Dice" in text and "not finished" in text
    assert not list(tmp_path.glob("*.png"))


def test_report_shows_the_dice_of_each_group(experiment, tmp_path):
    for arm, seed in experiment.comparison.pairs():
        value = 0.5 + 0.1 * seed + 0.2 * (arm.name == "dice")
        write_run(experiment.comparison, arm, seed, value)
    experiment.run(say=lambda text: None, train=False)
    losses = (tmp_path / "losses.csv").read_text().splitlines()
    assert losses[0].startswith("structure,CE,CE std,CE runs,Dice")
    mean = losses[-1].split(",")
    assert float(mean[1]) == pytest.approx(0.55)
    assert float(mean[4]) == pytest.approx(0.75)
    for name in ("losses", "augmentation"):
        assert (tmp_path / f"{name}.png").is_file()
        assert (tmp_path / f"{name}_curves.png").is_file()


def write_run(comparison, arm, seed, dice):
    from keras_isample.training.history import write_history

    folder = comparison.run_folder(arm, seed)
    (folder.path / "checkpoint").mkdir(parents=True)
    folder.config_file.write_text(comparison.config(arm, seed).to_toml())
    facts = {"cases": {"test": ["x"]}, "best_val_dice": dice}
    facts |= {"commits": ["abc"], "finished": "today"}
    folder.manifest_file.write_text(json.dumps(facts))
    epochs = comparison.config(arm, seed).training.epochs
    rows = [
        {"epoch": e, "step": 3 * e, "val_dice": dice, "loss": 1.0}
        for e in range(1, epochs + 1)
    ]
    write_history(folder.history_file, rows, ["ball"])
    write_summary(folder.evaluation("test"), dice)


def write_summary(folder, dice):
    folder.mkdir(parents=True)
    summary = {
        "foreground_mean": {"Dice": dice},
        "mean": {"1": {"Dice": dice}},
        "labels": {"1": "ball"},
        "metric_per_case": [{"metrics": {"1": {"Dice": dice}}}],
    }
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def tuning(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "class_weights": "median-frequency"}
    arms = [
        Arm("scheduled", "scheduled", {"loss_schedule": "wce->wdice"}, (0,)),
        Arm("wce", "w-CE", {"loss": "wce"}, (0,)),
    ]
    return FineTuningExperiment(
        tmp_path / "out", ball_data, ball_data, settings, arms, {"epochs": 2}
    )


def test_each_run_is_tuned_from_its_own_weights(tuning):
    for arm, tuned in zip(tuning.first.arms, tuning.second.arms, strict=True):
        config = tuning.second.config(tuned, 0)
        run = tuning.first.run_folder(arm, 0)
        assert config.network.init_from == str(run.path.absolute())
        assert config.training.epochs == 2


def test_fine_tuning_keeps_the_last_loss_of_a_schedule(tuning):
    losses = [
        tuning.second.config(arm, 0).loss.stages(2)
        for arm in tuning.second.arms
    ]
    assert losses == [[("wdice", 0)], [("wce", 0)]]


def test_dice_before_and_after_is_told(tuning, tmp_path):
    for arm, tuned in zip(tuning.first.arms, tuning.second.arms, strict=True):
        write_run(tuning.first, arm, 0, 0.4)
        name = f"{tuning.manual.resolve().name}-test"
        write_summary(tuning.first.run_folder(arm, 0).evaluation(name), 0.3)
        write_run(tuning.second, tuned, 0, 0.7)
    tuning.run(say=lambda text: None, train=False)
    rows = (tmp_path / "out" / "dice.csv").read_text().splitlines()
    before, after = (float(rows[1].split(",")[k]) for k in (2, 5))
    assert (before, after) == (0.3, 0.7)
    assert (tmp_path / "out" / "structures.png").is_file()


@pytest.mark.slow
def test_tuning_of_a_real_run(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "epochs": 1, "width": 0.1}
    arms = [Arm("ce", "CE", {}, (0,))]
    experiment = FineTuningExperiment(
        tmp_path, ball_data, ball_data, settings, arms, {"epochs": 2}
    )
    said = []
    experiment.run(say=said.append)
    rows = (tmp_path / "dice.csv").read_text().splitlines()
    assert rows[1].startswith("CE,1,")
    again = []
    experiment.run(say=again.append)
    assert again[-1] == said[-1]


def test_apps_compare_settings_that_exist():
    import importlib.util
    from pathlib import Path

    from keras_isample.config import read_settings

    apps = Path(__file__).resolve().parents[2] / "apps"
    for name, arms_of in (
        ("cardiac_mri", lambda m, s: [g.arms for g in m.groups_of(s, (0,))]),
        ("brain_mri", lambda m, s: [m.arms_of((0,))]),
    ):
        spec = importlib.util.spec_from_file_location(
            name, apps / name / "train.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        settings, _ = read_settings(apps / name / "config.toml")
        for preset in ({}, module.PAPER):
            every = {**settings, **preset}
            arms = [arm for group in arms_of(module, every) for arm in group]
            assert len(arms) > 4
            for arm in arms:
                Config.from_settings("scans", {**every, **arm.settings})
