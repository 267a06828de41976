"""The order in which callbacks act at the end of an epoch."""

import enum
import logging
import weakref

import keras

log = logging.getLogger(__name__)


class Stage(enum.IntEnum):
    """When a callback acts at the end of an epoch, the lowest first.

    A callback says it in its attribute `stage`, which can be set on any
    callback. Those without one come in the stage `OTHERS`, where the epoch's
    logs have all figures; `SwapEMAWeights` of Keras comes in `WEIGHTS`.
    """

    WEIGHTS = 1
    """Puts the weights in place that scans are predicted with."""

    STATISTICS = 2
    """Measures statistics that belong to these weights."""

    CHECKS = 3
    """Stops a training whose numbers are no longer finite."""

    SCHEDULES = 4
    """Sets rates and losses of the epoch to come."""

    ERROR_MAPS = 5
    """Predicts training scans."""

    VALIDATION = 6
    """Predicts validation scans."""

    OTHERS = 7
    """Everything that reads the logs or the model."""

    REPORTS = 8
    """Shows and writes the logs."""

    STATE = 9
    """Writes the state that a training is resumed from."""


_PREPARES = (Stage.WEIGHTS, Stage.STATISTICS)
_PREDICTS = (Stage.ERROR_MAPS, Stage.VALIDATION)

_predicted = weakref.WeakKeyDictionary()
"""For each model, who has predicted since the epoch began."""


def ordered(*callbacks):
    """Callbacks in the order in which they must act.

    Weights and statistics are put in place before scans are predicted with
    them; error maps and validation come before everything that reads an
    epoch's logs, such as `EarlyStopping` and `ModelCheckpoint`. Callbacks of
    the same stage stay in the order in which they are given.

    Args:
        callbacks: Keras callbacks, or lists of them; `None` is left out.

    Returns:
        A list for `fit`.

    Raises:
        ValueError: If an argument is no callback.

    Example:
    >>> model.fit(
    ...     sampler.dataset(100),
    ...     callbacks=ordered(
    ...         VolumeDice(validation),
    ...         ErrorMapUpdate(sampler),
    ...         NormalizationUpdate(sampler),
    ...     ),
    ... )
    """
    flat = []
    for given in callbacks:
        flat += given if isinstance(given, list | tuple) else [given]
    flat = [callback for callback in flat if callback is not None]
    for callback in flat:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "Arguments must be Keras callbacks, or lists of them. "
                f"Received: {callback!r}."
            )
    return sorted(flat, key=stage_of)


def stage_of(callback):
    """The `Stage` of a callback."""
    if isinstance(callback, keras.callbacks.SwapEMAWeights):
        return Stage.WEIGHTS
    return getattr(callback, "stage", Stage.OTHERS)


def note_turn(callback):
    """Warns if a callback that prepares predictions comes after one was made.

    Called by callbacks of this package at the end of an epoch. The warning is
    written once for a model.

    Args:
        callback: A callback of a model.
    """
    stage, turns = stage_of(callback), _turns(callback)
    if stage in _PREDICTS:
        turns.predicted = type(callback).__name__
    elif stage in _PREPARES and turns.predicted and not turns.warned:
        turns.warned = True
        log.warning(
            "%s acted after %s, which predicted scans with stale weights or "
            "statistics; put the callbacks in order with "
            "`keras_isample.callbacks.ordered`",
            type(callback).__name__,
            turns.predicted,
        )


def begin_epoch(callback):
    """Forgets what was predicted in the epoch before.

    Called by the callbacks that prepare predictions when an epoch begins.

    Args:
        callback: A callback of a model.
    """
    _turns(callback).predicted = None


def _turns(callback):
    model = callback.model
    if not isinstance(model, keras.Model):
        return _Turns()
    return _predicted.setdefault(model, _Turns())


class _Turns:
    predicted = None
    warned = False
