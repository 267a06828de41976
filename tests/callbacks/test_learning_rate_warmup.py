"""Learning rates by hand."""

import keras
import numpy as np
import pytest

from keras_isample.callbacks import LearningRateWarmup


def rates(callback, epochs, steps):
    return [
        callback.rate(epoch, step, steps)
        for epoch in epochs
        for step in range(steps)
    ]


def test_the_first_warmup_rises_linearly_from_0():
    callback = LearningRateWarmup(0.8, warmup_epochs=2)
    # Step 8 of 8 is the first at the full rate.
    expected = 0.1 * np.arange(1, 9)
    assert rates(callback, (0, 1), 4) == pytest.approx(expected)


def test_after_the_warmup_the_rate_is_the_schedules():
    callback = LearningRateWarmup(0.8, warmup_epochs=2)
    assert rates(callback, (2, 3, 100), 3) == [0.8] * 9


def test_a_change_is_approached_linearly_from_the_old_rate():
    callback = LearningRateWarmup(
        lambda epoch: 0.8 if epoch < 10 else 0.4, warmup_epochs=2
    )
    assert rates(callback, (9,), 2) == [0.8, 0.8]
    assert rates(callback, (10, 11), 2) == pytest.approx([0.7, 0.6, 0.5, 0.4])
    assert rates(callback, (12,), 2) == [0.4, 0.4]


def test_a_rise_is_approached_like_a_fall():
    callback = LearningRateWarmup(
        lambda epoch: 0.1 if epoch < 5 else 0.2, warmup_epochs=1
    )
    assert rates(callback, (5,), 2) == pytest.approx([0.15, 0.2])


def test_a_change_within_a_warmup_starts_at_the_rate_in_force():
    callback = LearningRateWarmup(
        lambda epoch: 0.8 if epoch < 1 else 0.2, warmup_epochs=2
    )
    # Half way up to 0.8 the rate is 0.4; from there to 0.2.
    assert rates(callback, (0, 1, 2), 2) == pytest.approx(
        [0.2, 0.4, 0.35, 0.3, 0.25, 0.2]
    )


def test_an_unchanged_schedule_has_no_second_warmup():
    callback = LearningRateWarmup(lambda epoch: 0.5, warmup_epochs=3)
    assert rates(callback, range(3, 30), 1) == [0.5] * 27


def test_no_warmup_follows_the_schedule_at_once():
    callback = LearningRateWarmup(
        lambda epoch: 0.8 if epoch < 1 else 0.4, warmup_epochs=0
    )
    assert rates(callback, (0, 1), 2) == [0.8, 0.8, 0.4, 0.4]


def test_a_negative_length_is_refused():
    with pytest.raises(ValueError, match="`warmup_epochs`"):
        LearningRateWarmup(0.1, warmup_epochs=-1)


class RateRecorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.rates.append(float(keras.ops.convert_to_numpy(rate)))


def fit(callback, epochs, **options):
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(9.0), "mse")
    recorder = RateRecorder()
    history = model.fit(
        np.zeros((4, 1)),
        np.zeros((4, 1)),
        batch_size=2,
        epochs=epochs,
        verbose=0,
        callbacks=[callback, recorder],
        **options,
    )
    return recorder.rates, history.history


def test_fit_trains_every_step_at_its_rate():
    seen, logs = fit(LearningRateWarmup(0.8, warmup_epochs=2), 3)
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert logs["learning_rate"] == pytest.approx([0.4, 0.8, 0.8])


def test_a_resumed_run_has_the_rates_of_its_epochs():
    callback = LearningRateWarmup(0.8, warmup_epochs=2)
    seen, _ = fit(callback, 2, initial_epoch=1)
    assert seen == pytest.approx([0.6, 0.8])
