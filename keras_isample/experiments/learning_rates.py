"""Both samplings at more learning rates, each compared at its own best.

The isample papers found that isample wants a higher rate than uniform sampling,
so that one rate for both may hide what either is worth.
"""

import math
from dataclasses import replace

from keras_isample.errors import InputError
from keras_isample.experiments.result_curves import curves_of
from keras_isample.experiments.result_tables import dice_at
from keras_isample.experiments.result_tables import foreground_dice
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import mean_history
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.statistics import steps_to_reach
from keras_isample.experiments.statistics import validated
from keras_isample.experiments.tables import Table
from keras_isample.figures.training_curves import Panel
from keras_isample.figures.training_curves import draw_training_curves


def parse_rates(text):
    """Learning rates from a text such as `"0.006,0.012"`; none if empty."""
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
        if not all(0 < value < math.inf for value in values):
            raise ValueError
    except ValueError:
        raise InputError(
            "`learning_rates`",
            f"must be positive numbers, got {text!r}",
            "Write them like 0.006,0.012",
        ) from None
    return values


def arms_at_rates(arms, rates):
    """Each arm at each rate: a list of `Arm`s, rate by rate."""
    return [
        replace(
            arm,
            name=f"{arm.name}-rate{rate!r}",
            title=f"{arm.title}, rate {rate:g}",
            settings={**arm.settings, "learning_rate": rate},
        )
        for rate in rates
        for arm in arms
    ]


def rates_table(comparison, pairs):
    """Dice of both samplings at each rate, and how soon isample is level.

    Args:
        comparison: The `Comparison`.
        pairs: List of (isample arm, uniform arm), a pair for each rate, from
            the lowest on.

    Returns:
        A `Table`. Its last column tells when an arm's mean first reaches what
        the best of the uniform arms has after the last step.
    """
    arms = [arm for pair in pairs for arm in pair]
    seeds = comparison.common_seeds(arms)
    moments = fractions_of(comparison.num_steps)
    averaged = {
        arm.name: mean_history(comparison.histories(arm, seeds)) for arm in arms
    }
    target = max(
        (
            validated(averaged[uniform.name])[-1]["val_dice"].mean
            for _, uniform in pairs
            if validated(averaged[uniform.name])
        ),
        default=None,
    )
    rows = []
    for arm in [pair[i] for i in (0, 1) for pair in pairs]:
        histories = comparison.histories(arm, seeds)
        tests = comparison.test_summaries(arm, seeds)
        reached = (
            None
            if target is None
            else steps_to_reach(averaged[arm.name], target)
        )
        rows.append(
            (
                arm.settings["sampling"],
                f"{rate_of(comparison, arm):g}",
                len(histories),
                *dice_at(histories, moments),
                measure(map(foreground_dice, tests)),
                reached,
            )
        )
    return Table(
        "Learning rates",
        (
            "sampling",
            "rate",
            "runs",
            *(f"{n} steps" for n in moments),
            "test Dice",
            "steps to the best uniform's final",
        ),
        rows,
        "Mean validation Dice as above, of the seeds that have finished at "
        "all rates. The last column tells when an arm's mean first reaches "
        "what uniform has after the last step at its best rate (-: never).",
    )


def draw_rates(comparison, pairs, path):
    """Writes a PNG: Dice against steps, a panel for each sampling."""
    seeds = comparison.common_seeds([arm for pair in pairs for arm in pair])
    panels = [
        Panel(
            arms[0].settings["sampling"],
            "mean validation Dice",
            curves_of(
                comparison,
                arms,
                "val_dice",
                seeds,
                lambda arm: f"rate {rate_of(comparison, arm):g}",
            ),
            limits=(0, 1),
        )
        for arms in zip(*pairs, strict=True)
    ]
    draw_training_curves(path, panels)


def rate_of(comparison, arm):
    """The learning rate of an arm's runs."""
    return comparison.config(arm, arm.seeds[0]).optimizer.learning_rate
