"""One predictor per model, as long as the model lives."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_isample.inference import predictor
from keras_isample.inference import predictor_for
from keras_isample.inference.dual_path import DualPathPredictor
from keras_isample.inference.full_volume import predict_label_map
from keras_isample.inference.plain import PlainPredictor
from keras_isample.inference.predictor import share_among
from keras_isample.inference.predictor import tile_memory_of_scan
from keras_isample.inference.slices import SlicePredictor
from keras_isample.inference.windows import WindowPredictor
from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.models import with_geometry
from keras_isample.volumes.scan import Scan

VOLUME = (None, None, None, 1)


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


def test_the_machine_chooses_the_tiles_of_a_scan_by_dual_path_alone(
    model, monkeypatch
):
    monkeypatch.setattr(predictor, "scan_tile_memory", lambda: 2 * 10**9)
    assert tile_memory_of_scan(model) == 2 * 10**9
    assert tile_memory_of_scan(unet(2, filters=(2, 3))) is None


def test_two_models_have_two_predictors(model):
    other = dual_path_resnet(2, width=0.1)
    assert predictor_for(other) is not predictor_for(model)


def test_several_gpus_share_scans(model, monkeypatch):
    """Unless their user has chosen others, or one."""
    made = []
    monkeypatch.setattr(
        predictor, "SharingPredictor", lambda make, names: made.append(names)
    )
    several = ("gpu:0", "gpu:1")
    monkeypatch.setattr(predictor, "_visible_gpus", lambda: several)
    other = dual_path_resnet(2, width=0.1)
    predictor_for(other)
    assert made == [several]
    share_among(other, ["gpu:1"])
    predictor_for(other)
    assert made == [several, ("gpu:1",)]
    share_among(other, [])
    assert isinstance(predictor_for(other), DualPathPredictor)


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
    with pytest.raises(ValueError, match="`model` must carry a geometry"):
        predictor_for(model)


def test_the_network_and_its_dimensions_choose_the_predictor():
    volume = (None, None, None, 1)
    few = {"filters": (2, 3)}
    for model, kind in (
        (unet(2, **few), SlicePredictor),
        (unet(2, input_shape=volume, **few), PlainPredictor),
        (unet3plus(2, input_shape=volume, **few), PlainPredictor),
    ):
        assert type(predictor_for(model)) is kind


@pytest.mark.parametrize("sides", [2, 3])
def test_a_network_of_one_image_is_freed_too(sides):
    shape = (*(None,) * sides, 1)
    model = unet(2, input_shape=shape, filters=(2, 3))
    predictor_for(model)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    "sides, geometry, kind",
    [
        (VOLUME[:3], PlainGeometry(8, halo=1), PlainPredictor),
        (VOLUME[:3], PlainGeometry(8), WindowPredictor),
        ((None, None), SliceGeometry(8), SlicePredictor),
        ((8, 8), SliceGeometry(8), WindowPredictor),
    ],
)
def test_the_geometry_chooses_the_predictor(sides, geometry, kind):
    image = keras.Input((*sides, 1))
    x = keras.layers.Dense(2)(image)
    model = with_geometry(keras.Model(image, x), geometry, from_logits=True)
    assert type(predictor_for(model)) is kind


class Elsewhere(keras.layers.Layer):
    """A layer that nobody can make a copy of."""

    def __init__(self, maps):
        super().__init__()
        self.conv = keras.layers.Conv3D(maps, 5, padding="same")
        self.norm = keras.layers.BatchNormalization()

    def call(self, x):
        return keras.ops.relu(self.norm(self.conv(x)))


@pytest.mark.parametrize("copied", [True, False])
def test_a_network_from_elsewhere_in_tiles_is_one_pass(copied, randomize):
    """With batch normalization, and a reach of 5 voxels."""
    image = keras.Input(VOLUME)
    if copied:
        x = keras.layers.Conv3D(4, 5, padding="same")(image)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    else:
        x = Elsewhere(4)(image)
    x = keras.layers.Conv3D(4, 3, padding="same", dilation_rate=3)(x)
    x = keras.layers.Conv3D(3, 1)(x)
    model = with_geometry(
        keras.Model(image, x), PlainGeometry(16, halo=5), from_logits=True
    )
    randomize(model)
    values = np.random.default_rng(0).integers(-99, 99, (1, 23, 31, 27))
    scan = Scan(values.astype(np.int16), (0.01,), (0.0,), (0,))
    predictor = PlainPredictor(model, 300_000)
    tiles = list(predictor.tiles(scan))
    assert len(tiles) > 8
    whole = model.predict_on_batch(scan.read([0] * 3, scan.shape)[None])[0]
    for start, tile in tiles:
        part = tuple(
            slice(a, a + n) for a, n in zip(start, tile.shape, strict=False)
        )
        np.testing.assert_allclose(tile, whole[part], atol=1e-5)


@pytest.mark.parametrize(
    ("make", "memory", "axis", "least"),
    [
        (lambda: dual_path_resnet(2, width=0.1), 700_000, None, 3),
        (lambda: unet(2, input_shape=VOLUME, filters=(2, 3)), 250_000, None, 3),
        (lambda: unet(2, filters=(2, 3)), 100_000, 0, 3),
        # All slices are predicted before the first tile.
        (lambda: unet(2, filters=(2, 3)), 100_000, 2, 1),
    ],
)
def test_progress_is_told_tile_by_tile(make_case, make, memory, axis, least):
    model = make()
    if axis is not None:
        model.metadata["axis"] = axis
    shape = (60, 12, 10)
    labels = np.random.default_rng(0).integers(0, 2, shape)
    case = make_case(labels, 300 * labels)
    calls = []
    predict_label_map(
        model,
        case.scan(),
        tile_memory=memory,
        progress=lambda *call: calls.append(call),
    )
    done = [voxels for voxels, _ in calls]
    assert len(done) >= least
    assert done == sorted(set(done))
    assert done[-1] == np.prod(shape)
    assert {total for _, total in calls} == {np.prod(shape)}
