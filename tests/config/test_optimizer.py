"""Rates and their schedules."""

import pytest

from keras_isample.config import Config


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("constant", ("constant", ())),
        ("step:400:0.1", ("step", (400, 0.1))),
        ("poly:0.9", ("poly", (0.9,))),
        ("cosine", ("cosine", ())),
        ("replay:runs/a:b/autolr.json", ("replay", ("runs/a:b/autolr.json",))),
    ],
)
def test_hand_schedules_are_parsed(text, schedule):
    config = Config.from_settings("scans", {"lr_schedule": text})
    assert config.optimizer.schedule == schedule


def test_autolr_warms_up_for_10_epochs_unless_told():
    auto = {"learning_rate": "auto"}
    config = Config.from_settings("scans", auto)
    assert config.optimizer.warmup_epochs == 10
    config = Config.from_settings("scans", {**auto, "warmup_epochs": 3})
    assert config.optimizer.warmup_epochs == 3
    assert Config.from_settings("scans", {}).optimizer.warmup_epochs == 5


def test_python_has_tuples():
    schedule = ("step", 400, 0.1)
    config = Config.from_settings("scans", {"lr_schedule": schedule})
    assert config.optimizer.schedule == ("step", (400, 0.1))


def test_a_path_may_have_colons():
    schedule = ("replay", "runs/a:b/autolr.json")
    config = Config.from_settings("scans", {"lr_schedule": schedule})
    assert config.optimizer.lr_schedule == schedule
