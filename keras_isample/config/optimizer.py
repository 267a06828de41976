"""Optimizer, rate and its schedule."""

from dataclasses import dataclass
from typing import Any
from typing import Literal

from keras_isample.config.settings import Form
from keras_isample.config.settings import Group
from keras_isample.config.settings import setting


def _read_schedule(text):
    """Words and numbers between colons; a path may have more of these."""
    kind, colon, rest = text.partition(":")
    if not colon or (not rest and kind != "replay"):
        return kind
    return [kind, rest] if kind == "replay" else [kind, *rest.split(":")]


def _write_schedule(schedule):
    parts = schedule if isinstance(schedule, tuple) else (schedule,)
    return ":".join(map(str, parts))


_SCHEDULE = Form(
    read=_read_schedule,
    write=_write_schedule,
    expects="a schedule of the rate",
    cure="Use constant, step:EVERY:FACTOR such as step:25:0.5, poly:POWER such "
    "as poly:0.9, cosine, or replay:RUN/autolr.json",
)


@dataclass(frozen=True)
class OptimizerConfig(Group):
    """Optimizer, rate and its schedule."""

    learning_rate: float | Literal["auto"] = setting(
        0.01, "Learning rate after warm-up; auto: AutoLR finds it.", more_than=0
    )
    lr_schedule: (
        Literal["constant", "cosine"]
        | tuple[Literal["step"], int, float]
        | tuple[Literal["poly"], float]
        | tuple[Literal["replay"], str]
    ) = setting(
        "constant",
        "constant; step:EVERY:FACTOR (times FACTOR every EVERY epochs); "
        "poly:POWER; cosine; replay:RUN/autolr.json (what AutoLR found).",
        form=_SCHEDULE,
        more_than=0,
    )
    warmup_epochs: int = setting(
        5,
        "Linear warm-up at the start and after every change of the rate; with "
        "--learning-rate auto 10 by default.",
        at_least=0,
    )
    optimizer: Literal["sgd", "adam", "adamw"] = setting(
        "sgd", "sgd: Nesterov momentum 0.8; adam; adamw."
    )
    weight_decay: float = setting(
        1e-4,
        "L2 factor in the loss (sgd), times the weight added to its gradient "
        "(adam), or decoupled (adamw).",
        at_least=0,
    )
    ema_momentum: float = setting(
        0.0,
        "Scans are predicted with, and saved are, averages of the weights over "
        "about 1 / (1 - this) steps, such as 0.99 for 100; 0: the weights "
        "themselves.",
        at_least=0,
        less_than=1,
    )

    def _check(self):
        if self.lr_schedule == ("replay", ""):
            raise self._refusal("lr_schedule", "replay names no file")

    @property
    def is_auto(self) -> bool:
        """Whether AutoLR finds the rate."""
        return self.learning_rate == "auto"

    @property
    def schedule(self) -> tuple[str, tuple[Any, ...]]:
        """Kind of the hand schedule, and its parameters.

        `("constant", ())`, `("step", (every, factor))`, `("poly", (power,))`,
        `("cosine", ())` or `("replay", (path,))`.
        """
        if isinstance(self.lr_schedule, str):
            return self.lr_schedule, ()
        kind, *parameters = self.lr_schedule
        return kind, tuple(parameters)
