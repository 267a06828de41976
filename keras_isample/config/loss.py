"""What is minimized, and how that changes with the epochs."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.errors import InputError
from keras_isample.registries import LOSSES


@dataclass(frozen=True)
class LossConfig(Group):
    """What is minimized."""

    loss: "str" = setting(
        "ce",
        "ce: cross-entropy; dice: soft Dice; w: with --class-weights.",
        LOSSES,
    )
    loss_schedule: "str" = setting(
        "",
        "Losses by epoch, such as 'wce:0, wce-dice:40, wdice:80', in place of "
        "--loss; 'wce->wdice' divides the epochs evenly among its losses.",
    )
    loss_transition: "str" = setting(
        "step",
        "step: each loss of a schedule begins at its epoch. linear: one turns "
        "into the next from its own beginning to that of the next.",
        ("step", "linear"),
    )
    class_weights: "str" = setting(
        "none",
        "From the labels of the training cases: median-frequency, or "
        "effective-number (of samples).",
        ("none", "median-frequency", "effective-number"),
    )

    def _check(self):
        names = [name for name, _ in self.stages(1000)]
        weighted = [name for name in names if LOSSES[name].needs_weights]
        if weighted and self.class_weights == "none":
            raise InputError(
                "--class-weights",
                f"is none, but {weighted[0]} weighs the classes",
                "Use median-frequency or effective-number",
            )
        takes = [name for name in names if LOSSES[name].weighted]
        if self.class_weights != "none" and not takes:
            raise InputError(
                "--class-weights",
                f"is {self.class_weights}, but {names[0]} has no weights",
                _cure_without_weights(names[0]),
            )
        if self.loss_transition != "step" and len(names) == 1:
            raise InputError(
                "--loss-transition",
                "is linear, but there is a single loss",
                "Give a --loss-schedule",
            )

    def stages(self, epochs: int) -> list[tuple[str, int]]:
        """Losses and the epochs, from 0, at which they begin.

        Args:
            epochs: Epochs in all, which `a->b` divides.

        Raises:
            InputError: If the schedule cannot be read.
        """
        text = self.loss_schedule
        if not text.strip():
            return [(self.loss, 0)]
        try:
            if "->" in text:
                names = [name.strip() for name in text.split("->")]
                pairs = [
                    (name, round(i * epochs / len(names)))
                    for i, name in enumerate(names)
                ]
            else:
                pairs = [_stage(part) for part in text.split(",")]
        except ValueError:
            raise _unreadable(text) from None
        starts = [start for _, start in pairs]
        unknown = [name for name, _ in pairs if name not in LOSSES]
        if unknown:
            raise InputError(
                "--loss-schedule",
                f"{unknown[0]!r} is no loss",
                f"Choose from {', '.join(LOSSES)}",
            )
        if starts[0] != 0 or starts != sorted(set(starts)):
            if "->" in text:
                raise InputError(
                    "--loss-schedule",
                    f"has more losses than the {epochs} epochs",
                    "Use more --epochs",
                )
            raise _unreadable(text)
        return pairs


def _stage(text):
    name, start = text.split(":")
    return name.strip(), int(start)


def _cure_without_weights(name):
    form = LOSSES[name].weighted_form
    return f"Use --loss {form}, or leave it away" if form else "Leave it away"


def _unreadable(text):
    return InputError(
        "--loss-schedule",
        f"{text!r} is no list of losses with rising epochs from 0",
        "Write it like 'wce:0, wce-dice:40, wdice:80' or 'wce->wdice'",
    )
