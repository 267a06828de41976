"""Hand schedules of the learning rate, by epochs, through Keras' own."""

from bisect import bisect_right

from keras import ops
from keras.optimizers import schedules

from keras_isample.callbacks.learning_rate_warmup import LearningRateWarmup


def make_warmup(settings, epochs, segments=None, warmup_epochs=None):
    """The callback that sets the rate of every step.

    Args:
        settings: The run's `OptimizerConfig`.
        epochs: Epochs in all, in which `poly` and `cosine` go to 0.
        segments: List of `(first epoch, rate)` that takes the place of the
            configured schedule.
        warmup_epochs: Instead of the configured number.

    Returns:
        A `LearningRateWarmup`.
    """
    kind, parameters = settings.schedule
    if segments is not None:
        schedule, kind = piecewise(segments), "piecewise"
    else:
        schedule = _schedule(settings.learning_rate, kind, parameters, epochs)
    if warmup_epochs is None:
        warmup_epochs = settings.warmup_epochs
    return LearningRateWarmup(
        schedule, warmup_epochs, smooth=kind in ("poly", "cosine")
    )


def piecewise(segments):
    """Function from the epoch (from 0) to the rate of its segment.

    Args:
        segments: List of `(first epoch, rate)`, the first at epoch 0.
    """
    starts = [start for start, _ in segments]
    return lambda epoch: segments[bisect_right(starts, epoch) - 1][1]


def _schedule(rate, kind, parameters, epochs):
    if kind == "constant":
        return lambda epoch: rate
    if kind == "step":
        every, factor = parameters
        schedule = schedules.ExponentialDecay(
            rate, every, factor, staircase=True
        )
    elif kind == "poly":
        schedule = schedules.PolynomialDecay(
            rate, epochs, end_learning_rate=0.0, power=parameters[0]
        )
    elif kind == "cosine":
        schedule = schedules.CosineDecay(rate, epochs)
    else:
        raise ValueError(f"Unknown kind of schedule: {kind!r}.")
    return lambda epoch: float(ops.convert_to_numpy(schedule(float(epoch))))
