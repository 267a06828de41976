"""What the finished runs of a comparison say, in curves."""

from keras_isample.experiments.result_tables import epsilon_of
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import mean_history
from keras_isample.experiments.statistics import validated
from keras_isample.figures.training_curves import Curve
from keras_isample.figures.training_curves import Panel
from keras_isample.figures.training_curves import draw_training_curves

_DICE = "mean validation Dice"
_LOSS = "cross-entropy of the drawn patches"


def draw_curves(comparison, arms, path):
    """Writes a PNG of loss and Dice against steps (papers, Fig. 2)."""
    seeds = comparison.common_seeds(arms)
    loss = curves_of(comparison, arms, "loss", seeds)
    dice = curves_of(comparison, arms, "val_dice", seeds)
    _draw_loss_and_dice(path, loss, dice)


def draw_dice(comparison, arms, uniform, path):
    """Writes a PNG of Dice alone, marked at n steps (papers, Fig. 4a)."""
    seeds = comparison.common_seeds(arms)
    dice = curves_of(comparison, arms, "val_dice", seeds)
    last = validated(mean_history(comparison.histories(uniform, seeds)))
    moments = fractions_of(comparison.num_steps)
    draw_training_curves(
        path,
        [
            Panel(
                "Dice at n steps",
                _DICE,
                dice,
                level=last[-1]["val_dice"].mean if last else None,
                level_label="uniform, all steps",
                marked_steps=moments,
                limits=(0, 1),
            )
        ],
    )


def draw_epsilons(comparison, arms, path):
    """Writes a PNG of loss and Dice of the seeds that all arms have."""
    seeds = comparison.common_seeds(arms)

    def curves(column):
        return curves_of(
            comparison,
            arms,
            column,
            seeds,
            lambda arm: f"epsilon {epsilon_of(arm)}",
        )

    _draw_loss_and_dice(path, curves("loss"), curves("val_dice"))


def draw_training(comparison, arms, path, seeds=None):
    """Writes a PNG of loss and Dice of arms that may differ in their loss.

    Args:
        comparison: The `Comparison`.
        arms: Its arms.
        path: The file.
        seeds: Runs of these seeds; all that have finished if `None`.
    """
    loss = curves_of(comparison, arms, "loss", seeds)
    dice = curves_of(comparison, arms, "val_dice", seeds)
    _draw_loss_and_dice(path, loss, dice, "loss of each run")


def _draw_loss_and_dice(path, loss, dice, quantity=_LOSS):
    panels = [
        Panel("Training loss", quantity, loss, logarithmic=True),
        Panel("Validation", _DICE, dice, limits=(0, 1)),
    ]
    draw_training_curves(path, panels)


def _curve(label, averaged, column):
    return Curve(
        label,
        [row["step"] for row in averaged],
        [_or_nan(row[column].mean) for row in averaged],
        [_or_nan(row[column].spread) for row in averaged],
    )


def _or_nan(value):
    return float("nan") if value is None else value


def curves_of(
    comparison, arms, column, seeds=None, label=lambda arm: arm.title
):
    """A `Curve` for each arm.

    Args:
        comparison: The `Comparison`.
        arms: Its arms.
        column: What of the history is shown.
        seeds: Runs of these seeds; all that have finished if `None`.
        label: Function from an arm to its name in the legend.
    """
    return [
        _curve(
            label(arm), mean_history(comparison.histories(arm, seeds)), column
        )
        for arm in arms
    ]
