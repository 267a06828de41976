"""Settings of half a run."""

import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.experiments.half_length import half_length


def half(**settings):
    return half_length(Config.from_settings("data", settings))


@pytest.mark.parametrize(
    ("schedule", "shorter"),
    [
        ("step:6:0.3", ("step", 3, 0.3)),
        ("step:2:0.333333333", ("step", 1, 0.333333333)),
        # They end with the last epoch, whichever that is.
        ("poly:0.9", ("poly", 0.9)),
        ("cosine", "cosine"),
        ("constant", "constant"),
    ],
)
def test_schedule_of_half_a_run(schedule, shorter):
    found = half(epochs=16, lr_schedule=schedule)
    assert found == {"epochs": 8, "lr_schedule": shorter}


def test_losses_change_in_half_the_time():
    schedules = {"lr_schedule": "cosine", "loss_schedule": "ce->dice"}
    found = half(epochs=8, **schedules)["loss_schedule"]
    assert found == (("ce", 0), ("dice", 2))


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ({"epochs": 5, "lr_schedule": "cosine"}, "`epochs`"),
        (
            {
                "epochs": 6,
                "lr_schedule": "cosine",
                "loss_schedule": "ce:0, dice:3",
            },
            "`loss_schedule`",
        ),
        ({"epochs": 4, "lr_schedule": "step:3:0.1"}, "`lr_schedule`"),
        ({"epochs": 4, "lr_schedule": "replay:autolr.json"}, "`half`"),
        ({"epochs": 4, "learning_rate": "auto", "period": 2}, "`half`"),
    ],
)
def test_what_cannot_be_halved_is_refused(settings, source):
    with pytest.raises(InputError, match=source):
        half(**settings)
