"""Whole scans in any orientation, back on their own grid."""

import keras
import numpy as np
import pytest

from keras_isample.inference import full_volume
from keras_isample.inference import predict_label_map
from keras_isample.inference import predict_volume
from keras_isample.volumes.scan import Scan
from keras_isample.volumes.volume import Volume

SPACINGS = np.diag([0.9, 1.1, 2.0])


def rotation(degrees):
    """About an oblique axis."""
    axis = np.array([1.0, -2, 3]) / np.sqrt(14)
    cross = np.cross(np.eye(3), axis)
    angle = np.radians(degrees)
    return (
        np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    )


PLI = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])
DIRECTIONS = {
    "RAS": np.eye(3),
    "PLI": PLI,
    "oblique": rotation(25),
    "oblique PLI": rotation(15) @ PLI,
    "IRP": np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
}


def affine_of(direction):
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[direction] @ SPACINGS
    affine[:3, 3] = (-30, 12, 500)
    return affine


def with_spacing(model, spacing):
    model.metadata["preprocessing"] = {"spacing": spacing, "intensity": "ct"}
    return model


def noise(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-900, 900, shape).astype(np.int16)


@pytest.fixture(scope="module")
def built():
    return {}


@pytest.fixture
def model(built, threshold_model):
    """Class 1 where a voxel is above 0, on the scan's own grid."""
    if not built:
        built["model"] = with_spacing(threshold_model(), None)
    return built["model"]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_labels_come_back_on_the_grid_of_the_input(model, direction):
    volume = Volume(noise((13, 10, 7)), affine_of(direction))
    labels = predict_volume(model, volume)
    assert (labels.affine == volume.affine).all()
    assert labels.array.dtype == np.uint8
    assert (labels.array == (volume.array > 0)).all()


@pytest.mark.parametrize("direction", ["RAS", "oblique PLI"])
def test_after_resampling_labels_lie_where_the_structure_is(
    threshold_model, direction
):
    model = with_spacing(threshold_model(), (1.0, 1.0, 1.0))
    # A ramp along the second axis passes 0 between voxels 9 and 10.
    ramp = 50 * (np.arange(20) - 9.5)
    volume = Volume(
        np.broadcast_to(ramp[:, None], (9, 20, 6)).astype(np.int16),
        affine_of(direction),
    )
    labels = predict_volume(model, volume)
    assert (labels.array == (volume.array > 0)).all()


def test_probabilities_come_on_the_same_grid(model):
    volume = Volume(noise((6, 5, 9)), affine_of("PLI"))
    labels, probabilities = predict_volume(
        model, volume, return_probabilities=True
    )
    assert probabilities.array.shape == (6, 5, 9, 2)
    assert probabilities.array.dtype == np.uint8
    assert (probabilities.affine == volume.affine).all()
    assert (probabilities.array.argmax(axis=-1) == labels.array).all()
    foreground = volume.array > 20
    assert (probabilities.array[foreground, 1] > 250).all()


def test_scans_are_clipped_as_in_training(model):
    volume = Volume(noise((5, 5, 5)), affine_of("RAS"))
    beyond = Volume(
        np.where(volume.array > 0, 30_000, -30_000).astype(np.int16),
        volume.affine,
    )
    labels = predict_volume(model, beyond)
    assert (labels.array == (volume.array > 0)).all()


@pytest.mark.slow
def test_tile_memory_does_not_change_the_labels(randomize, threshold_model):
    model = randomize(with_spacing(threshold_model(3), (1.5, 1.5, 2.0)))
    volume = Volume(noise((20, 14, 11)), affine_of("oblique"))
    at_once = predict_volume(model, volume)
    tiled = predict_volume(model, volume, tile_memory=1 << 19)
    assert (at_once.array != tiled.array).mean() < 1e-3
    assert len(np.unique(at_once.array)) > 1


@pytest.mark.parametrize("chosen, several", [(1 << 19, True), (3 << 30, False)])
def test_the_machine_chooses_the_tiles_of_a_scan(
    model, monkeypatch, chosen, several
):
    tiles = []
    monkeypatch.setattr(full_volume, "tile_memory_of_scan", lambda _: chosen)
    volume = Volume(noise((20, 14, 11)), affine_of("RAS"))
    predict_volume(model, volume, progress=lambda *call: tiles.append(call))
    assert (len(tiles) > 1) is several


def test_channels_are_given_as_a_list(threshold_model):
    model = with_spacing(threshold_model(num_channels=2), None)
    first = Volume(noise((6, 5, 4)), affine_of("PLI"))
    second = Volume(noise((6, 5, 4), 1), affine_of("PLI"))
    labels = predict_volume(model, [first, second])
    assert (labels.array == (first.array > 0)).all()


def test_a_wrong_number_of_channels_is_refused(model):
    volume = Volume(noise((4, 4, 4)), np.eye(4))
    with pytest.raises(ValueError, match="channel"):
        predict_volume(model, [volume, volume])


def test_without_metadata_the_papers_settings_are_used(threshold_model):
    volume = Volume(noise((6, 6, 6)), np.diag([1.0, 1.0, 1.5, 1.0]))
    labels = predict_volume(threshold_model(), volume)
    assert (labels.array == (volume.array > 0)).all()


def test_label_map_of_a_scan_is_the_largest_probability(model):
    stored = noise((1, 9, 6, 5))
    scan = Scan(stored, (1 / 218,), (0.0,), (-1000,))
    labels = predict_label_map(model, scan, tile_memory=1 << 19)
    assert labels.dtype == np.uint8
    assert (labels == (stored[0] > 0)).all()


def test_arrays_and_foreign_models_are_refused():
    array = np.zeros((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match="must be a `Volume`.*ndarray"):
        predict_volume(None, array)
    foreign = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must carry a geometry"):
        predict_volume(foreign, Volume(array, np.eye(4)))
