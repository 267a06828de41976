"""A model file carries what prediction needs."""

import keras
import numpy as np
import pytest

from keras_isample.models import SegmentationModel
from keras_isample.models import dual_path_resnet


@pytest.fixture(scope="module")
def model():
    model = dual_path_resnet(3, width=0.1, context_width=4)
    model.metadata["preprocessing"] = {
        "spacing": [1.0, 1.0, 1.5],
        "class_names": ["background", "kidney", "leber-ä"],
    }
    return model


@pytest.fixture(scope="module")
def loaded(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return keras.models.load_model(path)


def inputs():
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(1, side, side, side, 1)).astype("float32")
        for side in (32, 31)
    ]


def test_a_file_loads_as_the_same_class(loaded):
    assert type(loaded) is SegmentationModel


def test_a_file_keeps_the_metadata(model, loaded):
    assert loaded.metadata == model.metadata
    assert loaded.metadata["context_width"] == 4


def test_a_loaded_model_predicts_the_same(model, loaded, randomize, tmp_path):
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected = model.predict_on_batch(inputs())
    assert (again.predict_on_batch(inputs()) == expected).all()


def test_a_file_is_loaded_as_a_functional_model(loaded):
    assert [x.name for x in loaded.inputs] == ["image", "context"]
    assert loaded.get_layer("fc1").filters == 20


def test_a_config_round_trips(model):
    again = SegmentationModel.from_config(model.get_config())
    assert again.metadata == model.metadata
    assert again.get_config() == model.get_config()


def test_from_config_leaves_the_config_alone(model):
    config = model.get_config()
    SegmentationModel.from_config(config)
    assert config["metadata"] == model.metadata


def test_metadata_of_two_models_are_not_shared(model):
    again = SegmentationModel.from_config(model.get_config())
    again.metadata["network"] = "other"
    assert model.metadata["network"] == "dual-path"


def test_a_model_without_metadata_can_be_saved(tmp_path):
    x = keras.Input((2,))
    model = SegmentationModel(x, keras.layers.Dense(1)(x))
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").metadata == {}
