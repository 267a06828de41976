"""Weights that another process reads."""

import keras
import numpy as np
import pytest

from keras_isample.callbacks.published_weights import PublishedWeights
from keras_isample.losses import CrossEntropy
from keras_isample.models import dual_path_resnet


@pytest.fixture
def weights(tmp_path):
    return PublishedWeights(tmp_path / "weights")


def small_model():
    x = keras.Input((2,))
    return keras.Model(x, keras.layers.Dense(1)(x))


def test_model_of_the_same_architecture_predicts_the_same(weights, randomize):
    model = randomize(dual_path_resnet(3, width=0.1))
    model.compile("sgd", CrossEntropy())
    weights.begin(model)
    weights.add(4, model)
    other = weights.model()
    weights.load(4, other)
    assert other.metadata == model.metadata
    assert not other.compiled
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(one, two)


def test_versions_are_told_apart(weights):
    model = small_model()
    weights.begin(model)
    for version in (1, 2):
        model.set_weights([np.full((2, 1), version), np.zeros(1)])
        weights.add(version, model)
    weights.load(1, model)
    assert (model.get_weights()[0] == 1).all()


def test_only_what_is_kept_stays(weights):
    model = small_model()
    weights.begin(model)
    for version in range(1, 5):
        weights.add(version, model)
    weights.keep({2, 4, 9})
    names = sorted(path.name for path in weights.folder.iterdir())
    assert names == ["000002.npz", "000004.npz", "model.json"]


def test_half_written_weights_are_removed(weights):
    weights.folder.mkdir()
    half = weights.folder / ".0123abcd-000001.npz"
    half.write_bytes(b"half")
    weights.begin(small_model())
    assert not half.exists()
