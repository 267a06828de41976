"""Statistics of batch normalization, measured after each epoch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_isample.callbacks import NormalizationUpdate
from keras_isample.models.normalization import BatchNormalization
from keras_isample.training.trainer import Trainer


class Batches:
    """Has `dataset`, as samplers have."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.asked = []

    def dataset(self, steps):
        self.asked.append(steps)
        labels = np.zeros(len(self.inputs[0]), "float32")
        return _Dataset(self, steps, labels)


class _Dataset:
    """Reads the inputs when it is iterated."""

    def __init__(self, source, steps, labels):
        self.source, self.steps, self.labels = source, steps, labels

    def __iter__(self):
        for inputs in self.source.inputs[: self.steps]:
            yield tf.constant(inputs), self.labels


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    scale = rng.uniform(1, 9, (5, 1, 1))
    inputs = rng.normal(2, 1, (5, 4, 3)) * scale + scale
    return Batches(inputs.astype("float32"))


def after_an_epoch(model, batches, number=5):
    callback = NormalizationUpdate(batches, batches=number)
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    return callback


def model_of(*inside):
    return keras.Sequential([keras.Input((3,)), *inside])


@pytest.mark.parametrize(
    "kind", [BatchNormalization, layers.BatchNormalization]
)
def test_moments_are_those_of_all_batches_together(batches, kind):
    layer = kind(momentum=0.9)
    after_an_epoch(model_of(layer), batches)
    values = batches.inputs.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean, values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, values.var(0), rtol=1e-4)
    assert layer.momentum == 0.9


def test_moments_are_those_of_the_current_weights(batches):
    dense, layer = layers.Dense(2, use_bias=False), BatchNormalization()
    model = model_of(dense, layer)
    callback = after_an_epoch(model, batches)
    before = layer.moving_mean.numpy().copy()
    dense.kernel.assign(3 * dense.kernel)
    callback.on_epoch_end(1, {})
    np.testing.assert_allclose(layer.moving_mean, 3 * before, rtol=1e-5)


def test_later_training_follows_them_as_ever(batches):
    layer = BatchNormalization(momentum=0.9)
    model = model_of(layer)
    after_an_epoch(model, batches)
    before = layer.moving_mean.numpy().copy()
    model(np.zeros((4, 3), "float32"), training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * before, rtol=1e-5)


def test_so_many_batches_are_seen(batches):
    layer = BatchNormalization()
    after_an_epoch(model_of(layer), batches, 2)
    assert batches.asked == [2]
    values = batches.inputs[:2].reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, values.mean(0), rtol=1e-5)


def test_layers_of_models_in_the_model_are_found(batches):
    layer = BatchNormalization()
    after_an_epoch(model_of(model_of(layer)), batches)
    values = batches.inputs.reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, values.mean(0), rtol=1e-5)


def test_frozen_layers_keep_what_they_have(batches):
    frozen, layer = BatchNormalization(), BatchNormalization()
    frozen.trainable = False
    after_an_epoch(model_of(frozen, layer), batches)
    assert not np.any(frozen.moving_mean)
    assert np.all(np.abs(layer.moving_mean) > 0)


def test_layers_frozen_between_two_fits_keep_what_they_have(batches):
    first, second = BatchNormalization(), BatchNormalization()
    callback = after_an_epoch(model_of(first, second), batches)
    first.trainable = False
    before = first.moving_mean.numpy().copy()
    batches.inputs += 1
    callback.on_epoch_end(1, {})
    np.testing.assert_array_equal(first.moving_mean, before)
    first.trainable = True
    callback.on_epoch_end(2, {})
    np.testing.assert_allclose(first.moving_mean, before + 1, rtol=1e-5)


def test_an_interruption_leaves_what_was_there(batches, monkeypatch):
    layer = BatchNormalization()
    model = model_of(layer)
    callback = after_an_epoch(model, batches)
    before = layer.moving_mean.numpy().copy()
    shown, forward = [], callback._forward

    def interrupted(inputs):
        if shown:
            raise KeyboardInterrupt
        shown.append(forward(inputs))

    callback._forward = interrupted
    with pytest.raises(KeyboardInterrupt):
        callback.on_epoch_end(1, {})
    np.testing.assert_array_equal(layer.moving_mean, before)
    assert layer.momentum == 0.99


def test_time_is_in_the_logs(batches):
    callback, logs = after_an_epoch(model_of(BatchNormalization()), batches), {}
    callback.on_epoch_end(1, logs)
    assert logs["seconds_normalization"] > 0


def test_without_normalization_nothing_is_read(batches):
    after_an_epoch(model_of(layers.Dense(2)), batches)
    assert batches.asked == []


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch draws dropout by itself"
)
def test_training_is_not_affected(batches):
    def trained(callbacks):
        keras.utils.set_random_seed(0)
        layer = BatchNormalization()
        inside = layers.Dense(4), layer, layers.Dropout(0.5), layers.Dense(1)
        model = model_of(*inside)
        model.compile("sgd", "mse")
        x = batches.inputs.reshape(-1, 3)
        data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4)
        model.fit(data, epochs=3, verbose=0, callbacks=callbacks)
        return [w.numpy() for w in model.trainable_weights], layer

    update = NormalizationUpdate(batches, batches=3)
    (ours, measured), (plain, followed) = trained([update]), trained([])
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(a, b)
    moved = np.abs(measured.moving_mean - followed.moving_mean)
    assert np.all(moved > 1e-3)


def test_no_batches_are_refused(batches):
    with pytest.raises(ValueError, match="batches=0"):
        NormalizationUpdate(batches, batches=0)


@pytest.mark.parametrize("number", [0, 3])
def test_setting_says_how_many(ball_config, number):
    from keras_isample.training.run_data import read_run_data

    config = ball_config(normalization_batches=number)
    data = read_run_data(config, lambda line: None).prepare()
    found = Trainer(config, data)._statistics
    assert [callback.batches for callback in found] == [number] * bool(number)


def test_statistics_come_before_all_that_predicts(
    monkeypatch, tmp_path, ball_config
):
    from keras_isample.callbacks import DivergenceCheck
    from keras_isample.callbacks import ErrorMapUpdate
    from keras_isample.callbacks import LearningRateWarmup
    from keras_isample.callbacks import VolumeDice
    from keras_isample.training.run_data import read_run_data
    from keras_isample.training.run_folder import RunFolder

    config = ball_config()
    data = read_run_data(config, lambda line: None).prepare()
    trainer, given = Trainer(config, data), []
    monkeypatch.setattr(
        trainer.model,
        "fit",
        lambda *_, callbacks, **__: given.extend(callbacks),
    )
    warmup = LearningRateWarmup(0.1, 3)
    trainer.train(RunFolder(tmp_path), [], warmup, 1)
    kinds = [type(callback) for callback in given]
    ours = kinds.index(NormalizationUpdate)
    for later in (DivergenceCheck, ErrorMapUpdate, VolumeDice):
        assert ours < kinds.index(later)


def test_batches_are_shown(batches, listener):
    callback = NormalizationUpdate(batches, batches=2, reporter=listener)
    callback.set_model(model_of(BatchNormalization()))
    callback.on_epoch_end(0, {})
    assert listener.heard == [
        "begin normalization",
        "normalization: batch 2 of 2",
        "normalization: 2 of 2",
        "end normalization",
    ]
