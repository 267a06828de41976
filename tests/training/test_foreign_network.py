"""Runs with a network from elsewhere."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample import load_model
from keras_isample.commands.evaluate import evaluate_run
from keras_isample.errors import InputError
from keras_isample.inference import predict_volume
from keras_isample.models import PlainGeometry
from keras_isample.models import register_network
from keras_isample.models import with_geometry
from keras_isample.registries import NETWORKS
from keras_isample.training.autolr import AutoLR
from keras_isample.training.run import fit
from keras_isample.volumes.volume import Volume


def build(num_classes, *, input_shape, width, l2):
    """Instance normalization sees the whole patch: no halo can be stated."""
    image = keras.Input(input_shape)
    x = layers.Conv3D(4, 3, padding="same")(image)
    x = layers.GroupNormalization(-1)(x)
    x = layers.MaxPooling3D(2)(layers.ReLU()(x))
    x = layers.Conv3DTranspose(4, 2, strides=2)(x)
    x = layers.Conv3D(num_classes, 1)(layers.Concatenate()([x, image]))
    return with_geometry(
        keras.Model(image, x), PlainGeometry(8, multiple=2), from_logits=True
    )


@pytest.fixture(autouse=True)
def registered():
    options = {"dimensions": (3,), "patch_size": 8, "multiple": 2}
    register_network("instance", build, **options)
    yield
    NETWORKS.remove("instance")


def test_it_trains_with_isample_resumes_and_predicts(
    ball_config, tmp_path, assert_same_end, caplog
):
    settings = {
        "network": "instance",
        "sampling": "isample",
        "patch_size": 12,
    }
    whole = fit(ball_config(epochs=2, **settings), tmp_path / "whole")
    assert "windows of 12 x 12 x 12 voxels" in caplog.text
    errors = [row["mean_error"] for row in whole.rows]
    assert 0 < errors[-1] < 1
    parts = tmp_path / "parts"
    fit(ball_config(epochs=1, **settings), parts)
    fit(ball_config(epochs=2, **settings), parts, resume=True)
    assert_same_end(parts, whole.path)
    model = load_model(whole.path)
    # As it was trained, not as it was built.
    assert model.geometry == PlainGeometry(12, multiple=2)
    rng = np.random.default_rng(0)
    scan = Volume(
        rng.integers(-99, 99, (21, 14, 9)).astype(np.int16), np.eye(4)
    )
    labels = predict_volume(model, scan)
    assert labels.array.shape == scan.array.shape


@pytest.mark.parametrize("way", ["online", "concurrent"])
def test_uniform_sampling_makes_no_maps_in_any_way(ball_config, tmp_path, way):
    config = ball_config(epochs=1, sampling="uniform", error_maps=way)
    assert len(fit(config, tmp_path / "run").rows) == 1


def test_a_population_refuses_what_its_members_would_not_know(ball_config):
    config = ball_config(network="instance", learning_rate="auto")
    with pytest.raises(InputError, match="instance is known in this process"):
        AutoLR(config)


def test_a_run_is_read_where_its_network_is_not_known(ball_config, tmp_path):
    run = fit(ball_config(epochs=1, network="instance"), tmp_path / "run")
    NETWORKS.remove("instance")
    assert evaluate_run(run.path, "validation", tile_memory=None)
