"""Means and spreads over runs that differ in their seed."""

import math
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple


class Measured(NamedTuple):
    """A mean over runs.

    Attributes:
        mean: `None` if there is no value.
        spread: Standard deviation, with `runs - 1` in the denominator; `None`
            for fewer than two runs.
        runs: Number of values.
    """

    mean: float | None
    spread: float | None
    runs: int

    def __str__(self):
        if self.mean is None:
            return "-"
        if self.spread is None:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.spread:.3f}"


def measure(values: Iterable[float | None]) -> Measured:
    """Mean and spread; `None` is left out."""
    values = [value for value in values if value is not None]
    if not values:
        return Measured(None, None, 0)
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Measured(mean, None, 1)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Measured(mean, math.sqrt(squares / (len(values) - 1)), len(values))


def mean_history(histories: Sequence[Sequence[dict]]) -> list[dict]:
    """The rows of several runs, averaged where all have the same step.

    Args:
        histories: Rows of each run, as `read_history` returns them.

    Returns:
        A row for each step that all runs have: `step`, a number, and each
        other column as `Measured`.
    """
    by_step = [{row["step"]: row for row in rows} for rows in histories]
    if not by_step:
        return []
    common = set.intersection(*(set(rows) for rows in by_step))
    columns = [name for name in histories[0][0] if name != "step"]
    return [
        {
            "step": int(step),
            **{
                name: measure(rows[step].get(name) for rows in by_step)
                for name in columns
            },
        }
        for step in sorted(common)
    ]


def validated(averaged: Sequence[dict]) -> list[dict]:
    """The rows of `mean_history` that have a validation Dice."""
    return [row for row in averaged if row["val_dice"].mean is not None]


def fractions_of(steps: int) -> list[int]:
    """An eighth, a quarter, a half and all of the steps.

    As 5, 10, 20 and 40 thousand in the papers.
    """
    return [max(1, round(steps / parts)) for parts in (8, 4, 2, 1)]


def value_at(rows: Sequence[dict], step: int, column: str) -> float | None:
    """A run's newest value of a column at a step.

    Args:
        rows: Its history.
        step: Later rows are not looked at.
        column: Its name, such as `"val_dice"`.

    Returns:
        The value, or `None` if there is none up to that step.
    """
    known = [
        row[column]
        for row in rows
        if row["step"] <= step and row[column] is not None
    ]
    return known[-1] if known else None


def steps_to_reach(averaged: Sequence[dict], target: float) -> int | None:
    """First validated step at which the mean Dice is at least a target.

    Args:
        averaged: As `mean_history` returns it.
        target: Dice.

    Returns:
        The step, or `None` if the target is never reached.
    """
    return next(
        (
            row["step"]
            for row in validated(averaged)
            if row["val_dice"].mean >= target
        ),
        None,
    )


def level_of(averaged: Sequence[dict]) -> float | None:
    """Mean Dice over the last quarter of the validations.

    At a constant rate Dice goes up and down from epoch to epoch; the last
    value alone is as it comes.

    Args:
        averaged: As `mean_history` returns it.

    Returns:
        The mean, or `None` without a validation.
    """
    scores = [row["val_dice"].mean for row in validated(averaged)]
    last = scores[-math.ceil(len(scores) / 4) :]
    return measure(last).mean


def steps_to_stay(averaged: Sequence[dict], target: float) -> int | None:
    """First validated step from which on the mean Dice is at least a target.

    Args:
        averaged: As `mean_history` returns it.
        target: Dice.

    Returns:
        The step, or `None` if the last Dice is below the target.
    """
    found = None
    for row in reversed(validated(averaged)):
        if row["val_dice"].mean < target:
            break
        found = row["step"]
    return found
