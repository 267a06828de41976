"""What is minimized, and how that changes with the epochs."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Form
from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.errors import InputError
from keras_isample.registries import LOSSES


def _read_schedule(text):
    """`"a->b"` as names, `"a:0, b:4"` as pairs."""
    if "->" in text:
        return [name.strip() for name in text.split("->")]
    return [
        [part.strip() for part in stage.split(":")]
        for stage in text.split(",")
        if text.strip()
    ]


def _write_schedule(stages):
    if all(isinstance(stage, str) for stage in stages):
        return "->".join(stages)
    return ", ".join(f"{name}:{start}" for name, start in stages)


_SCHEDULE = Form(
    read=_read_schedule,
    write=_write_schedule,
    expects="losses with rising epochs from 0",
    cure="Write it like 'wce:0, wce-dice:40, wdice:80' or 'wce->wdice'",
)


@dataclass(frozen=True)
class LossConfig(Group):
    """What is minimized.

    `loss_schedule` has pairs of a loss and the epoch, from 0, at which it
    begins, or only losses, which divide the epochs evenly.
    """

    loss: str = setting(
        "ce",
        "ce: cross-entropy; dice: soft Dice; w: with --class-weights.",
        choices=LOSSES,
    )
    loss_schedule: tuple[tuple[str, int], ...] | tuple[str, ...] = setting(
        (),
        "Losses by epoch, such as 'wce:0, wce-dice:40, wdice:80', in place of "
        "--loss; 'wce->wdice' divides the epochs evenly among its losses.",
        form=_SCHEDULE,
    )
    loss_transition: Literal["step", "linear"] = setting(
        "step",
        "step: each loss of a schedule begins at its epoch. linear: one turns "
        "into the next from its own beginning to that of the next.",
    )
    class_weights: Literal["none", "median-frequency", "effective-number"] = (
        setting(
            "none",
            "From the labels of the training cases: median-frequency, or "
            "effective-number (of samples).",
        )
    )

    def _check(self):
        unknown = [name for name in self.names if name not in LOSSES]
        if unknown:
            raise InputError(
                "`loss_schedule`",
                f"{unknown[0]!r} is no loss",
                f"Choose from {', '.join(LOSSES)}",
            )
        if self.is_divided_evenly or not self.loss_schedule:
            return
        starts = [start for _, start in self.loss_schedule]
        if starts[0] != 0 or starts != sorted(set(starts)):
            text = _write_schedule(self.loss_schedule)
            raise self._refusal(
                "loss_schedule", f"expects {_SCHEDULE.expects}, got {text!r}"
            )

    @property
    def names(self) -> list[str]:
        """Losses, in the order in which they come."""
        return [name for name, _ in self.stages(1)]

    @property
    def is_divided_evenly(self) -> bool:
        """Whether the schedule has losses without epochs."""
        return any(isinstance(stage, str) for stage in self.loss_schedule)

    def stages(self, epochs: int) -> list[tuple[str, int]]:
        """Losses and the epochs, from 0, at which they begin.

        Args:
            epochs: Epochs in all, which losses without epochs divide.
        """
        if not self.loss_schedule:
            return [(self.loss, 0)]
        if not self.is_divided_evenly:
            return list(self.loss_schedule)
        number = len(self.loss_schedule)
        return [
            (name, round(i * epochs / number))
            for i, name in enumerate(self.loss_schedule)
        ]
