"""One predictor per model, as long as the model lives."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_isample.inference import predictor_for
from keras_isample.models import dual_path_resnet


@pytest.fixture(scope="module")
def model():
    return dual_path_resnet(2, width=0.1)


def test_a_model_keeps_its_predictor(model):
    assert predictor_for(model) is predictor_for(model)


def test_another_tile_memory_is_another_predictor(model):
    small = predictor_for(model, 1 << 20)
    assert small is not predictor_for(model)
    blocks = [100] * 3
    large = predictor_for(model).tile_sides(blocks)
    assert np.prod(small.tile_sides(blocks)) < np.prod(large)


def test_two_models_have_two_predictors(model):
    other = dual_path_resnet(2, width=0.1)
    assert predictor_for(other) is not predictor_for(model)


def test_a_model_that_is_no_longer_used_is_freed():
    model = dual_path_resnet(2, width=0.1)
    predictor_for(model)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


def test_a_model_of_other_origin_is_refused():
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Dense(2)(x))
    with pytest.raises(ValueError, match="`model` must be built by"):
        predictor_for(model)
