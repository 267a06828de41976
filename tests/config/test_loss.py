"""Losses and their schedules."""

import pytest

from keras_isample.config import Config


@pytest.mark.parametrize(
    "text, epochs, stages",
    [
        ("", 50, [("ce", 0)]),
        ("ce:0, dice:7", 50, [("ce", 0), ("dice", 7)]),
        ("ce->dice", 50, [("ce", 0), ("dice", 25)]),
        ("ce -> ce-dice -> dice", 9, [("ce", 0), ("ce-dice", 3), ("dice", 6)]),
    ],
)
def test_stages_of_the_loss(text, epochs, stages):
    config = Config.from_settings(
        "scans", {"loss_schedule": text, "epochs": epochs}
    )
    assert config.loss.stages(epochs) == stages


def test_equal_parts_of_a_schedule_stay_when_epochs_are_added():
    config = Config.from_settings(
        "scans", {"loss_schedule": "ce->dice", "epochs": 10}
    )
    assert config.loss.loss_schedule == (("ce", 0), ("dice", 5))
    longer = {**config.settings(), "epochs": 30}
    assert Config.from_settings("scans", longer).loss.stages(30)[1] == (
        "dice",
        5,
    )


def test_python_has_names_or_pairs():
    def stages(*schedule):
        settings = {"loss_schedule": schedule, "epochs": 8}
        return Config.from_settings("scans", settings).loss.stages(8)

    assert stages("ce", "dice") == [("ce", 0), ("dice", 4)]
    assert stages(("ce", 0), ["dice", 3]) == [("ce", 0), ("dice", 3)]


@pytest.mark.parametrize("form", [list, tuple])
def test_stages_may_be_a_list_of_texts(form):
    stages = form(["wce:0", "wdice:40"])
    settings = {"loss_schedule": stages, "class_weights": "median-frequency"}
    config = Config.from_settings("scans", settings)
    assert config.loss.loss_schedule == (("wce", 0), ("wdice", 40))
