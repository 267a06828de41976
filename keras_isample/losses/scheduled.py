"""Losses that follow one another: weighted cross-entropy, later Dice.

Reference: Hegde et al., loss scheduling for brain MR.
"""

import keras
import numpy as np
from keras import ops

from keras_isample.losses.weighted_sum import WeightedSum

TRANSITIONS = ("step", "linear")


@keras.saving.register_keras_serializable(package="keras_isample")
class ScheduledLoss(WeightedSum):
    """A sum of losses whose weights change from epoch to epoch.

    With `transition="step"` each loss is the only one from its start to the
    next one's. With `"linear"` the weight moves evenly from one loss to the
    next between their starts; from the last start on the last loss is the only
    one.

    The weights in force are those of epoch 0 until the callback
    `keras_isample.callbacks.LossSchedule` sets others. They are a function of
    the epoch and in no file: a run resumed at `initial_epoch` has them again,
    and a loaded model those of epoch 0 until it is trained. Losses at
    different epochs cannot be compared; stop early by a metric instead.

    All losses are computed at every step, whatever their weights.

    Args:
        losses: Keras losses, of this package or not, in order; see
            `AdaptedLoss`.
        starts: The epoch at which each begins, from 0, increasing.
        transition: `"step"` or `"linear"`.
        reduction: As in `keras.losses.Loss`; that of the parts is not used.
        name: Name of the loss.
        dtype: Type of the result; the computation is in float32.

    Attributes:
        weights: Variable of the weights in force, shape `(len(losses),)`.
        merged_classes: That of the losses, which all have the same.

    Call arguments:
        As of `losses`.

    Raises:
        ValueError: If the losses or their starts are not as above.

    Example:
    >>> loss = ScheduledLoss([CrossEntropy(), CEDice(), Dice()], [0, 40, 80])
    >>> loss.weights_at(40)
    array([0., 1., 0.], dtype=float32)
    """

    is_scheduled = True

    def __init__(
        self,
        losses,
        starts,
        *,
        transition="step",
        reduction="sum_over_batch_size",
        name="scheduled",
        dtype=None,
    ):
        starts = _checked_starts(starts, len(losses))
        super().__init__(losses, reduction=reduction, name=name, dtype=dtype)
        if transition not in TRANSITIONS:
            raise ValueError(
                f"Argument `transition` must be one of {TRANSITIONS}. "
                f"Received: transition={transition!r}."
            )
        self.starts = starts
        self.transition = transition
        self.weights = keras.Variable(
            self.weights_at(0),
            trainable=False,
            dtype="float32",
            name=f"{self.name}_weights",
        )

    def weights_at(self, epoch):
        """Weight of each loss at an epoch (from 0), which sum to 1.

        Returns:
            Numpy array of float32, shape `(len(losses),)`.
        """
        current = sum(start <= epoch for start in self.starts) - 1
        weights = np.zeros(len(self.starts), "float32")
        weights[max(current, 0)] = 1
        later = 0 <= current < len(self.starts) - 1
        if self.transition == "linear" and later:
            begin, end = self.starts[current : current + 2]
            share = (epoch - begin) / (end - begin)
            weights[current : current + 2] = 1 - share, share
        return weights

    def weights_in_force(self):
        """The variable's value, a scalar tensor for each loss."""
        weights = ops.convert_to_tensor(self.weights)
        return [weights[i] for i in range(len(self.losses))]

    def get_config(self):
        config = super().get_config()
        del config["weights"]
        config["starts"] = self.starts
        config["transition"] = self.transition
        return config


def _checked_starts(starts, count):
    """The epochs as integers, which numpy's are not to JSON."""
    given = list(starts)
    starts = [int(start) for start in given]
    increasing = all(a < b for a, b in zip(starts, starts[1:], strict=False))
    right = len(starts) == count and starts[:1] == [0] and starts == given
    if not right or not increasing:
        raise ValueError(
            "Argument `starts` must be one epoch for each loss, the first 0, "
            f"increasing. Received: starts={given} for {count} losses."
        )
    return starts
