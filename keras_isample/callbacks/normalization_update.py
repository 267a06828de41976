"""Statistics of batch normalization, measured before scans are predicted.

Reference: Wu & Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3
(PreciseBN).
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf


class NormalizationUpdate(keras.callbacks.Callback):
    """Replaces moving averages by what the current weights give.

    Training normalizes by the statistics of each batch, prediction by moving
    averages of them, which are those of weights of many steps ago. Where
    weights move fast, whole scans are predicted badly from weights that are
    good, and the next epoch better: validation, error maps and the choice of
    the best epoch suffer. After each epoch a few of its batches go through the
    network once more, and the moments of each layer over all of them take the
    place of its averages. Training is not affected.

    Goes before all callbacks that predict. Layers that are not trainable keep
    what they have.

    Args:
        sampler: The `ISample` that `fit` draws from; its epoch is the one that
            ends.
        batches: Number of batches; a few suffice.

    Raises:
        ValueError: If `batches` is less than 1.

    Example:
    >>> model.fit(
    ...     sampler.dataset(steps=100),
    ...     epochs=50,
    ...     callbacks=[NormalizationUpdate(sampler), ErrorMapUpdate(sampler)],
    ... )
    """

    def __init__(self, sampler, *, batches=10):
        super().__init__()
        if batches < 1:
            raise ValueError(
                "Argument `batches` must be at least 1. "
                f"Received: batches={batches}."
            )
        self.sampler = sampler
        self.batches = batches
        self._forward = None

    def set_model(self, model):
        if self._forward is None or model is not self._model:
            self._forward = _forward_of(model)
        super().set_model(model)

    def on_epoch_end(self, epoch, logs=None):
        layers = [x for x in _normalizations(self.model) if x.trainable]
        if not layers:
            return
        means, squares = [0.0] * len(layers), [0.0] * len(layers)
        with _following_at_once(layers):
            for inputs, _ in self.sampler.dataset(self.batches):
                self._forward(inputs)
                for i, layer in enumerate(layers):
                    mean = _value(layer.moving_mean)
                    means[i] = means[i] + mean
                    squares[i] = squares[i] + _value(layer.moving_variance)
                    squares[i] = squares[i] + mean**2
        for layer, mean, square in zip(layers, means, squares, strict=True):
            mean, square = mean / self.batches, square / self.batches
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(np.maximum(square - mean**2, 0.0))


def _forward_of(model):
    """Function that shows a model a batch, as in training."""

    def forward(inputs):
        model(inputs, training=True)

    if keras.backend.backend() != "tensorflow":
        return forward
    # Every replica sees the whole batch, so that all measure the same.
    run = model.distribute_strategy.run
    return tf.function(lambda inputs: run(forward, args=(inputs,)))


def _normalizations(model):
    """The batch normalizations of a model and of models in it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _normalizations(layer)


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
