"""The model as it was."""

import keras
import numpy as np
import pytest

from keras_isample.callbacks import ModelSnapshots


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Weights(keras.callbacks.Callback):
    """Remembers the weights after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.seen = [*getattr(self, "seen", []), self.model.get_weights()]


def test_chosen_epochs_are_kept(tmp_path, model):
    x = np.ones((4, 1))
    weights = Weights()
    paths = {1: tmp_path / "a" / "early.keras", 3: tmp_path / "late.keras"}
    model.fit(
        x,
        x * 5,
        epochs=3,
        verbose=0,
        callbacks=[weights, ModelSnapshots(paths)],
    )
    for epoch, path in paths.items():
        loaded = keras.models.load_model(path).get_weights()
        for one, two in zip(loaded, weights.seen[epoch - 1], strict=True):
            assert np.array_equal(one, two)
    kept = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert kept == ["early.keras", "late.keras"]
    assert not np.array_equal(weights.seen[0][0], weights.seen[2][0])
