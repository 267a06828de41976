"""Losses and their schedules."""

import pytest

from keras_isample.config import Config


def test_weighted_losses_need_weights(refusal):
    assert refusal(loss="wce").startswith("--class-weights: is none")
    text = refusal(loss="dice", class_weights="effective-number")
    assert text.endswith("Use --loss wdice, or leave it away.")


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


def test_more_losses_than_epochs_are_refused(refusal):
    assert "1 epochs" in refusal(loss_schedule="ce->dice", epochs=1)


def test_equal_parts_of_a_schedule_stay_when_epochs_are_added():
    config = Config.from_settings(
        "scans", {"loss_schedule": "ce->dice", "epochs": 10}
    )
    assert config.loss.loss_schedule == "ce:0, dice:5"
    longer = {**config.settings(), "epochs": 30}
    assert Config.from_settings("scans", longer).loss.stages(30)[1] == (
        "dice",
        5,
    )


def test_losses_that_never_begin_are_refused(refusal):
    text = refusal(loss_schedule="ce:0, dice:40", epochs=40)
    assert text.startswith("--loss-schedule: has a loss from epoch 40 on")
