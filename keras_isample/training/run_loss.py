"""The loss of a run, and the weights of its classes."""

import numpy as np

from keras_isample.losses.class_weights import effective_number_weights
from keras_isample.losses.class_weights import median_frequency_weights
from keras_isample.losses.named import make_loss
from keras_isample.losses.scheduled import ScheduledLoss

_WEIGHTS = {
    "median-frequency": median_frequency_weights,
    "effective-number": effective_number_weights,
}


def class_weights_of(config, cases):
    """One weight per class from the labels of the training cases.

    Args:
        config: The run's `Config`.
        cases: The `PreparedCase`s to train on.

    Returns:
        List of floats, background first; `None` without `class_weights`.
    """
    weigh = _WEIGHTS.get(config.loss.class_weights)
    if weigh is None:
        return None
    counts = np.array([case.counts for case in cases])
    return [float(weight) for weight in weigh(counts)]


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
