"""Scans are predicted with moving averages of the weights.

Reference: Polyak & Juditsky, Acceleration of stochastic approximation by
averaging, 1992; exponential averages as in Tarvainen & Valpola, Mean teachers
are better role models, 2017, section 2.
"""

import contextlib

import keras

from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.order import begin_epoch
from keras_isample.callbacks.order import note_turn


class AveragedWeights(keras.callbacks.Callback):
    """Between epochs the model has the optimizer's averages as weights.

    At a constant rate weights go around what they would settle at, and so does
    what they predict, most of all where patches are few and small. The averages
    that an optimizer with `use_ema=True` keeps come to rest. After each epoch
    they take the place of the weights, for all callbacks that come later:
    normalization, error maps, validation, saved models; training goes on from
    the weights themselves. After `fit` the model keeps the averages, as is
    usual in Keras. As long as no step was taken (in float16 steps that overflow
    are skipped) there are none, and the model keeps its weights.

    `ordered` puts it before all callbacks that predict or measure.
    `NormalizationUpdate` measures the statistics that belong to the averages;
    moving ones belong to the weights themselves, as do the errors of
    `OnlineErrorMaps`.

    Unlike `keras.callbacks.SwapEMAWeights` it leaves no trace of rounding in
    the weights that training goes on from, and knows these at the end of the
    last epoch, too, so that a run which has ended can go on.

    Raises:
        ValueError: On training, if the optimizer keeps no averages.

    Example:
    >>> model.compile(keras.optimizers.Adam(use_ema=True), loss=loss)
    >>> model.fit(
    ...     sampler.dataset(steps=100),
    ...     epochs=50,
    ...     callbacks=ordered(
    ...         AveragedWeights(),
    ...         NormalizationUpdate(sampler),
    ...         ErrorMapUpdate(sampler),
    ...     ),
    ... )
    """

    stage = Stage.WEIGHTS

    def __init__(self):
        super().__init__()
        self._own = None

    def on_train_begin(self, logs=None):
        optimizer = _inner(self.model.optimizer)
        if not optimizer.use_ema:
            raise ValueError(
                "AveragedWeights needs an optimizer with `use_ema=True`. "
                f"Received: {optimizer!r}."
            )
        self._own = None
        if self._has_averages:
            # Of a model whose state was restored, between two epochs.
            self._take_averages()

    def on_epoch_begin(self, epoch, logs=None):
        begin_epoch(self)
        if self._own is not None:
            _assign(self.model, self._own)
            self._own = None

    def on_epoch_end(self, epoch, logs=None):
        note_turn(self)
        self._take_averages()

    def on_train_end(self, logs=None):
        # Keras has put averages in place, even where there are none yet.
        if self._own is not None:
            self._place_averages()

    @contextlib.contextmanager
    def own_weights(self):
        """Within, the model has its own weights, as training goes on from."""
        if self._own is None:
            yield
            return
        averages = _values(self.model.trainable_variables)
        _assign(self.model, self._own)
        try:
            yield
        finally:
            _assign(self.model, averages)

    @property
    def _has_averages(self):
        """Whether a step was taken: until then the averages are zeros."""
        steps = _inner(self.model.optimizer).iterations
        return int(keras.ops.convert_to_numpy(steps)) > 0

    def _take_averages(self):
        self._own = _values(self.model.trainable_variables)
        self._place_averages()

    def _place_averages(self):
        if not self._has_averages:
            _assign(self.model, self._own)
            return
        variables = self.model.trainable_variables
        self.model.optimizer.finalize_variable_values(variables)
        # On JAX each average and weight are one buffer now, which is lost as
        # soon as the model predicts.
        _assign(self.model, _values(variables))


def _inner(optimizer):
    """The optimizer itself, which Keras wraps where arithmetic is float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _values(variables):
    return [keras.ops.convert_to_numpy(x).copy() for x in variables]


def _assign(model, values):
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
