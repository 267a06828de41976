"""Windows that overlap, averaged with Gaussian weights."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference.windows import WindowPredictor
from keras_isample.inference.windows import gaussian
from keras_isample.inference.windows import starts
from keras_isample.inference.windows import sum_of_weights
from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import with_geometry
from keras_isample.volumes.scan import Scan


def scan_of(shape, seed=0):
    values = np.random.default_rng(seed).integers(-99, 99, (1, *shape))
    return Scan(values.astype(np.int16), (0.01,), (0.0,), (0,))


def network(geometry, sides=(None, None, None)):
    """Sees a voxel and the mean of the patch, as a normalization does."""
    image = keras.Input((*sides, 1))
    axes = tuple(range(1, len(sides) + 1))
    mean = keras.ops.mean(image, axis=axes, keepdims=True)
    x = layers.Dense(3)(keras.ops.concatenate([image - mean, image], -1))
    model = with_geometry(keras.Model(image, x), geometry, from_logits=True)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def whole(predictor, scan, boxes=None):
    result = np.full((*scan.shape, predictor.num_classes), np.nan, np.float32)
    for start, probabilities in predictor.tiles(scan, boxes):
        part = tuple(
            slice(a, a + n)
            for a, n in zip(start, probabilities.shape, strict=False)
        )
        assert np.isnan(result[part]).all()
        result[part] = probabilities
    return result


@pytest.mark.parametrize(
    "size, window, expected",
    [
        (5, 8, [0]),
        (8, 8, [0]),
        (9, 8, [0, 1]),
        (16, 8, [0, 4, 8]),
        (14, 8, [0, 3, 6]),
        (3, 1, [0, 1, 2]),
    ],
)
def test_windows_cover_an_axis_and_overlap_by_half(size, window, expected):
    assert starts(size, window) == expected


def test_weights_are_those_of_a_gaussian():
    # The middle lies between voxels 3 and 4; the deviation is one voxel.
    expected = np.exp(-0.5 * np.array([3.5, 2.5, 1.5, 0.5]) ** 2)
    np.testing.assert_allclose(gaussian(8)[:4], expected, rtol=1e-6)
    np.testing.assert_allclose(gaussian(8)[4:], expected[::-1], rtol=1e-6)


def test_weights_add_up_over_windows():
    g = gaussian(4)
    # Windows at 0, 1: voxels 0 to 4.
    expected = np.append(g, 0) + np.append(0, g)
    np.testing.assert_allclose(sum_of_weights(5, 4), expected)


def test_a_scan_of_one_window_is_one_pass():
    model = network(PlainGeometry(8))
    scan = scan_of((8, 6, 7))
    expected = model.predict_on_batch(scan.read([0] * 3, [8] * 3)[None])[0]
    result = whole(WindowPredictor(model), scan)
    np.testing.assert_allclose(result, expected[:, :6, :7], atol=1e-6)


def test_windows_are_averaged_with_their_weights():
    model = network(PlainGeometry((4, 4, 4)))
    scan = scan_of((6, 4, 4))
    image = scan.read([0] * 3, scan.shape)
    g = gaussian(4)[:, None, None, None]
    expected, total = np.zeros((6, 4, 4, 3)), np.zeros((6, 1, 1, 1))
    for start in (0, 2):
        part = slice(start, start + 4)
        expected[part] += g * model.predict_on_batch(image[None, part])[0]
        total[part] += g
    result = whole(WindowPredictor(model), scan)
    np.testing.assert_allclose(result, expected / total, atol=1e-6)


@pytest.mark.parametrize("memory", [1 << 30, 0])
def test_boxes_are_predicted_as_in_the_whole(memory):
    predictor = WindowPredictor(network(PlainGeometry(8, multiple=2)), memory)
    scan = scan_of((21, 18, 13))
    expected = whole(predictor, scan)
    assert not np.isnan(expected).any()
    boxes = [
        (slice(4, 10), slice(2, 18), slice(0, 6)),
        (slice(12, 21), slice(0, 4), slice(6, 13)),
    ]
    result = whole(predictor, scan, boxes)
    for box in boxes:
        np.testing.assert_allclose(result[box], expected[box], atol=1e-6)
        result[box] = np.nan
    assert np.isnan(result).all()


def test_probabilities_stay_probabilities():
    predictor = WindowPredictor(network(PlainGeometry(6)))
    result = whole(predictor, scan_of((13, 9, 7)))
    np.testing.assert_allclose(result.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_one_size_are_windows(axis):
    model = network(SliceGeometry(8, axis), sides=(8, 8))
    assert model.geometry.windows
    shape = [11, 11, 11]
    shape[axis] = 3
    scan = scan_of(shape)
    predictor = WindowPredictor(model)
    result = whole(predictor, scan)
    np.testing.assert_allclose(result.sum(-1), 1, atol=1e-5)
    one = [slice(None)] * 3
    one[axis] = slice(1, 2)
    box = tuple(
        slice(*part.indices(n)[:2]) for part, n in zip(one, shape, strict=True)
    )
    again = whole(predictor, scan, [box])
    np.testing.assert_allclose(again[box], result[box], atol=1e-6)


def test_windows_are_counted():
    model = network(PlainGeometry(8))
    predictor = WindowPredictor(model)
    scan = scan_of((16, 8, 9))
    # Three times one times two windows; two inputs times three classes.
    assert predictor.multiplications(scan) == 6 * 8**3 * 2 * 3
    assert predictor.num_voxels(scan) == 6 * 8**3


def test_windows_are_said_to_be_inexact(caplog):
    WindowPredictor(network(PlainGeometry(8)))
    assert "8 x 8 x 8 voxels that overlap by half" in caplog.text


def test_channels_must_fit():
    scan = Scan(np.zeros((2, 4, 4, 4), np.int16), (1,) * 2, (0,) * 2, (0,) * 2)
    with pytest.raises(ValueError, match="made for 1"):
        next(WindowPredictor(network(PlainGeometry(8))).tiles(scan))
