"""Optimizer, rate and its schedule."""

import math
from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import setting
from keras_isample.errors import InputError


@dataclass(frozen=True)
class OptimizerConfig(Group):
    """Optimizer, rate and its schedule."""

    learning_rate: "float | str" = setting(
        0.01,
        "Learning rate after warm-up; auto: AutoLR finds it.",
        words=("auto",),
    )
    lr_schedule: "str" = setting(
        "constant",
        "constant; step:EVERY:FACTOR (times FACTOR every EVERY epochs); "
        "poly:POWER; cosine; replay:RUN/autolr.json (what AutoLR found).",
    )
    warmup_epochs: "int" = setting(
        5,
        "Linear warm-up at the start and after every change of the rate; with "
        "--learning-rate auto 10 by default.",
    )
    optimizer: "str" = setting(
        "sgd",
        "sgd: Nesterov momentum 0.8; adam; adamw.",
        ("sgd", "adam", "adamw"),
    )
    weight_decay: "float" = setting(
        1e-4,
        "L2 factor in the loss (sgd), times the weight added to its gradient "
        "(adam), or decoupled (adamw).",
    )
    ema_momentum: "float" = setting(
        0.0,
        "Scans are predicted with, and saved are, averages of the weights over "
        "about 1 / (1 - this) steps, such as 0.99 for 100; 0: the weights "
        "themselves.",
    )

    def _check(self):
        if not self.is_auto:
            check_range(self, "learning_rate", 0, above=True)
        check_range(self, "warmup_epochs", 0)
        check_range(self, "weight_decay", 0)
        check_range(self, "ema_momentum", 0, below=1)
        kind, _ = self.schedule
        if self.is_auto and kind != "constant":
            raise InputError(
                "--lr-schedule",
                f"is {self.lr_schedule}, but the rate is found by AutoLR",
                "Leave it away, or give --learning-rate a number",
            )

    @property
    def is_auto(self):
        """Whether AutoLR finds the rate."""
        return self.learning_rate == "auto"

    @property
    def schedule(self):
        """Kind of the hand schedule, and its parameters.

        `("constant", ())`, `("step", (every, factor))`, `("poly", (power,))`,
        `("cosine", ())` or `("replay", (path,))`.
        """
        kind, _, rest = self.lr_schedule.partition(":")
        try:
            return kind, _SCHEDULES[kind](rest)
        except (KeyError, ValueError):
            raise InputError(
                "--lr-schedule",
                f"{self.lr_schedule!r} is not known",
                "Use constant, step:EVERY:FACTOR such as step:25:0.5, "
                "poly:POWER such as poly:0.9, cosine, or "
                "replay:RUN/autolr.json",
            ) from None


def _nothing(text):
    if text:
        raise ValueError
    return ()


def _step(text):
    every, factor = text.split(":")
    every, factor = int(every), float(factor)
    if every < 1 or not 0 < factor < math.inf:
        raise ValueError
    return every, factor


def _power(text):
    power = float(text)
    if not 0 < power < math.inf:
        raise ValueError
    return (power,)


def _path(text):
    if not text:
        raise ValueError
    return (text,)


_SCHEDULES = {
    "constant": _nothing,
    "step": _step,
    "poly": _power,
    "cosine": _nothing,
    "replay": _path,
}
