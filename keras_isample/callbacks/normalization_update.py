"""Statistics of batch normalization, measured before scans are predicted.

Reference: Wu & Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3
(PreciseBN).
"""

import contextlib
import time

import keras
import numpy as np
import tensorflow as tf

from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.order import begin_epoch
from keras_isample.callbacks.order import note_turn
from keras_isample.progress import SILENT


class NormalizationUpdate(keras.callbacks.Callback):
    """Replaces moving averages by what the current weights give.

    Training normalizes by the statistics of each batch, prediction by moving
    averages of them, which are those of weights of many steps ago. Where
    weights move fast, whole scans are predicted badly from weights that are
    good, and the next epoch better: validation, error maps and the choice of
    the best epoch suffer. After each epoch a few batches, drawn as those of
    the epoch, go through the network, and the moments of each layer over all
    of them take the place of its averages. All else that such a pass changes,
    the random state of dropout above all, is put back (with torch, whose
    dropout draws from a state of its own, that is not).

    `ordered` puts it before all callbacks that predict. Layers that are not
    trainable keep what they have. Adds `seconds_normalization` to the epoch's
    logs.

    Args:
        sampler: The `ISample` that `fit` draws from; its epoch is the one that
            ends.
        batches: Number of batches; a few suffice.
        reporter: The `Reporter` that shows the batches; silent by default.

    Raises:
        ValueError: If `batches` is less than 1.

    Example:
    >>> model.fit(
    ...     sampler.dataset(steps=100),
    ...     epochs=50,
    ...     callbacks=ordered(
    ...         NormalizationUpdate(sampler), ErrorMapUpdate(sampler)
    ...     ),
    ... )
    """

    stage = Stage.STATISTICS

    def __init__(self, sampler, *, batches=10, reporter=SILENT):
        super().__init__()
        if batches < 1:
            raise ValueError(
                "Argument `batches` must be at least 1. "
                f"Received: batches={batches}."
            )
        self.sampler = sampler
        self.batches = batches
        self.reporter = reporter
        self._traced = self._dataset = self._forward = None

    def on_epoch_begin(self, epoch, logs=None):
        begin_epoch(self)

    def on_epoch_end(self, epoch, logs=None):
        note_turn(self)
        started = time.monotonic()
        layers = [x for x in _normalizations(self.model) if x.trainable]
        if layers:
            phase = self.reporter.phase(
                "normalization", self.batches, item="batch"
            )
            with phase:
                self._prepare(layers)
                with _put_back(self.model):
                    moments = self._measure(layers, phase)
            for layer, (mean, variance) in zip(layers, moments, strict=True):
                layer.moving_mean.assign(mean)
                layer.moving_variance.assign(variance)
        if logs is not None:
            logs["seconds_normalization"] = time.monotonic() - started

    def _prepare(self, layers):
        """Makes dataset and function, and anew if other layers are to follow.

        What is traced for layers that are frozen later would go on.
        """
        traced = (self.model, [id(layer) for layer in layers])
        if traced == self._traced:
            return
        self._traced = traced
        self._dataset = self.sampler.dataset(self.batches)
        self._forward = _forward_of(self.model)
        if keras.backend.backend() == "tensorflow":
            strategy = self.model.distribute_strategy
            if strategy.num_replicas_in_sync > 1:
                self._dataset = strategy.experimental_distribute_dataset(
                    self._dataset
                )

    def _measure(self, layers, progress):
        """Mean and variance of each layer over all batches together."""
        means, squares = [0.0] * len(layers), [0.0] * len(layers)
        seen = 0
        with _following_at_once(layers):
            for inputs, _ in self._dataset:
                self._forward(inputs)
                seen += 1
                progress(seen, self.batches)
                for i, layer in enumerate(layers):
                    mean = _value(layer.moving_mean)
                    means[i] = means[i] + mean
                    squares[i] = squares[i] + mean**2
                    squares[i] = squares[i] + _value(layer.moving_variance)
        means = [mean / seen for mean in means]
        return [
            (mean, np.maximum(square / seen - mean**2, 0.0))
            for mean, square in zip(means, squares, strict=True)
        ]


def _forward_of(model):
    """Function that shows a model a batch, as in training."""

    def forward(inputs):
        model(inputs, training=True)

    if keras.backend.backend() != "tensorflow":
        return forward
    run = model.distribute_strategy.run
    return tf.function(
        lambda inputs: run(forward, args=(inputs,)), autograph=False
    )


def _normalizations(model):
    """The batch normalizations of a model and of models in it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _normalizations(layer)


@contextlib.contextmanager
def _put_back(model):
    """Puts back whatever is not trained: averages, random states."""
    kept = [
        (variable, keras.ops.convert_to_numpy(variable))
        for variable in model.non_trainable_variables
    ]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


@contextlib.contextmanager
def _following_at_once(layers):
    """Within, averages are the statistics of the newest batch alone."""
    kept = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum


def _value(variable):
    return keras.ops.convert_to_numpy(variable).astype(np.float64)
