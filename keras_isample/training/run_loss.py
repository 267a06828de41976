"""The loss of a run, and the weights of its classes."""

import numpy as np

from keras_isample.losses.class_weights import effective_number_weights
from keras_isample.losses.class_weights import median_frequency_weights
from keras_isample.losses.named import make_loss
from keras_isample.losses.scheduled import ScheduledLoss


def class_weights_of(config, cases):
    """One weight per class from the labels of the training cases.

    A class that was not annotated in a case counts as background there. Of
    `effective-number`, whose beta was made for numbers of images, 1 / (1 -
    beta) is the median number of voxels of a class: larger classes have about
    the same weight, smaller ones nearly that of inverse frequency.

    Args:
        config: The run's `Config`.
        cases: The `PreparedCase`s to train on.

    Returns:
        List of floats, background first; `None` without `class_weights`.
    """
    if config.loss.class_weights == "none":
        return None
    counts = np.array([case.trained_counts for case in cases])
    if config.loss.class_weights == "median-frequency":
        weights = median_frequency_weights(counts)
    else:
        totals = counts.sum(axis=0)
        beta = 1 - 1 / max(2.0, float(np.median(totals[totals > 0])))
        weights = effective_number_weights(counts, beta)
    return [float(weight) for weight in weights]


def make_run_loss(config, class_weights, merged_classes=()):
    """The loss that a configuration asks for.

    Args:
        config: The run's `Config`.
        class_weights: As `class_weights_of` returns them.
        merged_classes: See `losses.CrossEntropy`.

    Returns:
        A `keras.losses.Loss`; a `ScheduledLoss` if there are several stages.
    """
    stages = config.loss.stages(config.training.epochs)
    losses = [
        make_loss(name, class_weights, merged_classes) for name, _ in stages
    ]
    if len(losses) == 1:
        return losses[0]
    return ScheduledLoss(
        losses,
        [start for _, start in stages],
        transition=config.loss.loss_transition,
    )
