"""Networks from elsewhere carry a geometry."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.models import DualPathGeometry
from keras_isample.models import PlainGeometry
from keras_isample.models import SegmentationModel
from keras_isample.models import SliceGeometry
from keras_isample.models import geometry_of
from keras_isample.models import with_geometry


def foreign(*, sides=(None, None, None), maps=3, **options):
    image = keras.Input((*sides, 2), name="scan")
    conv = layers.Conv3D if len(sides) == 3 else layers.Conv2D
    x = conv(4, 3, padding="same", activation="relu")(image)
    x = layers.BatchNormalization()(x)
    options.setdefault("activation", "softmax")
    return keras.Model(image, conv(maps, 1, **options)(x), name="elsewhere")


def test_a_model_carries_its_geometry():
    geometry = PlainGeometry((16, 16, 8), halo=1, multiple=2)
    model = with_geometry(foreign(), geometry)
    assert isinstance(model, SegmentationModel)
    assert geometry_of(model) == geometry
    assert model.name == "elsewhere"
    assert model.metadata["num_classes"] == 3
    assert model.metadata["num_channels"] == 2


def test_slices_carry_their_axis():
    geometry = SliceGeometry(16, axis=1, multiple=4)
    model = with_geometry(foreign(sides=(None, None)), geometry)
    assert geometry_of(model) == geometry


def test_it_shares_the_weights():
    original = foreign()
    model = with_geometry(original, PlainGeometry(8))
    assert all(
        a is b for a, b in zip(model.weights, original.weights, strict=True)
    )


def test_logits_get_a_softmax():
    original = foreign(activation=None)
    model = with_geometry(original, PlainGeometry(8), from_logits=True)
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 7, 2))
    expected = keras.ops.softmax(original.predict_on_batch(x))
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-5)


def test_a_file_keeps_the_geometry(tmp_path):
    geometry = PlainGeometry((8, 6, 4), halo=None)
    with_geometry(foreign(), geometry).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.geometry == geometry


def test_a_plain_keras_model_carries_none():
    with pytest.raises(ValueError, match="with_geometry"):
        geometry_of(foreign())


def test_a_model_must_be_built():
    class Own(keras.Model):
        pass

    with pytest.raises(ValueError, match="must be built"):
        with_geometry(Own(), PlainGeometry(8))


def test_dimensions_must_be_those_of_the_geometry():
    with pytest.raises(ValueError, match="2 dimensions, the model 3"):
        with_geometry(foreign(), SliceGeometry(8))


def test_the_output_must_have_the_sides_of_the_input():
    with pytest.raises(ValueError, match="as many voxels"):
        with_geometry(
            foreign(kernel_initializer="ones", strides=2), PlainGeometry(8)
        )


def test_only_networks_of_one_image_are_taken():
    with pytest.raises(ValueError, match="PlainGeometry or a SliceGeometry"):
        with_geometry(foreign(), DualPathGeometry())
    image = keras.Input((None, None, None, 1))
    two = keras.Model(image, [image, image])
    with pytest.raises(ValueError, match="2 outputs"):
        with_geometry(two, PlainGeometry(8))


def test_logits_that_are_not_said_are_refused():
    with pytest.raises(ValueError, match="from_logits=True"):
        with_geometry(foreign(activation=None), PlainGeometry(8))


def test_fixed_sides_must_be_those_of_the_patch():
    fixed = foreign(sides=(16, 16, 16))
    assert with_geometry(fixed, PlainGeometry(16)).geometry.windows
    with pytest.raises(ValueError, match=r"fixed sides .*\(16, 16, 16\)"):
        with_geometry(fixed, PlainGeometry(8))


def test_the_patch_must_be_a_multiple():
    with pytest.raises(ValueError, match="20, which is no multiple of 8"):
        with_geometry(foreign(), PlainGeometry(20, multiple=8))


@pytest.mark.parametrize(
    "sides, asked", [((None, None), True), ((None, 16), False)]
)
def test_slices_in_windows(sides, asked):
    geometry = SliceGeometry(16, windows=asked)
    assert with_geometry(foreign(sides=sides), geometry).geometry.windows
