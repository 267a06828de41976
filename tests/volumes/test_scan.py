import numpy as np
import pytest

from keras_isample.volumes.intensity import fit_intensity
from keras_isample.volumes.resampling import resample_volume
from keras_isample.volumes.scan import Scan
from keras_isample.volumes.scan import store_channels
from keras_isample.volumes.volume import Volume

RNG = np.random.default_rng(0)
AFFINE = np.diag([1, 1, 1.5, 1])


def scan_of(*channels, scales=None, offsets=None, outside=None):
    number = len(channels)
    return Scan(
        np.stack(channels).astype(np.int16),
        scales or (1.0,) * number,
        offsets or (0.0,) * number,
        outside or (-1000,) * number,
    )


def random_scan(shape=(5, 6, 7)):
    return scan_of(
        *RNG.integers(-1000, 1000, (2, *shape)),
        scales=(1 / 218, 0.25),
        offsets=(0.0, 3.0),
        outside=(-1000, -700),
    )


def naive_read(scan, start, stop):
    """Voxel by voxel."""
    sides = [b - a for a, b in zip(start, stop, strict=True)]
    result = np.empty((*sides, scan.num_channels))
    for place in np.ndindex(*sides):
        voxel = tuple(a + p for a, p in zip(start, place, strict=True))
        inside = all(0 <= v < n for v, n in zip(voxel, scan.shape, strict=True))
        for channel in range(scan.num_channels):
            stored = scan.outside[channel]
            if inside:
                stored = scan.stored[(channel, *voxel)]
            result[(*place, channel)] = (
                stored * scan.scales[channel] + scan.offsets[channel]
            )
    return result


@pytest.mark.parametrize(
    "start, stop",
    [
        ((0, 0, 0), (5, 6, 7)),
        ((1, 2, 3), (4, 4, 4)),
        ((-3, -2, -1), (8, 8, 8)),
        ((-3, 2, 3), (-1, 4, 5)),
        ((7, 2, 3), (9, 4, 5)),
        ((-9, 9, 3), (-8, 12, 5)),
        ((4, 5, 6), (6, 7, 8)),
        ((-2, -2, -2), (1, 1, 1)),
        ((2, 2, 2), (2, 4, 4)),
    ],
)
def test_boxes_may_reach_beyond_the_scan(start, stop):
    scan = random_scan()
    read = scan.read(start, stop)
    assert read.dtype == np.float32
    expected = naive_read(scan, start, stop)
    np.testing.assert_allclose(read, expected, rtol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 8, 8), (1, 1, 1), (9, 1, 4)])
def test_occupied_blocks_are_found(side, shape):
    array = np.full(shape, -1000)
    for _ in range(3):
        array[tuple(RNG.integers(0, shape))] = 5
    blocks = scan_of(array).occupied_blocks(side)
    expected = np.zeros([-(-n // side) for n in shape], bool)
    for place in np.argwhere(array != -1000):
        expected[tuple(place // side)] = True
    assert np.array_equal(blocks, expected)


@pytest.mark.parametrize("channel", [0, 1])
def test_block_is_occupied_if_any_channel_is(channel):
    channels = [np.full((4, 4, 4), -1000) for _ in range(2)]
    channels[channel][3, 3, 3] = 0
    blocks = scan_of(*channels).occupied_blocks(2)
    assert blocks.sum() == 1
    assert blocks[1, 1, 1]


def test_ct_is_stored_in_hounsfield_units():
    array = RNG.integers(-1200, 1500, (5, 6, 7)).astype(np.int16)
    scan = store_channels([Volume(array, AFFINE)], None, "ct")
    assert scan.stored.dtype == np.int16
    assert np.array_equal(scan.stored[0], np.clip(array, -1000, 1000))
    assert scan.scales == (1 / 218,)
    assert scan.offsets == (0.0,)
    assert scan.outside == (-1000,)


def test_values_are_clipped_before_they_are_resampled():
    array = np.zeros((4, 4, 4), np.float32)
    array[0] = 5000
    volume = Volume(array, np.diag([1, 1, 1, 1]))
    scan = store_channels([volume], (2, 2, 2), "ct")
    assert scan.stored.max() == 500


def test_resampled_scan_is_that_of_resample_volume():
    array = RNG.normal(0, 300, (9, 8, 7)).astype(np.float32)
    volume = Volume(array, AFFINE)
    scan = store_channels([volume], (1.3, 0.7, 2), "ct")
    clipped = Volume(np.clip(array, -1000, 1000), AFFINE)
    resampled = resample_volume(clipped, (1.3, 0.7, 2)).array
    assert scan.shape == resampled.shape
    assert np.array_equal(scan.stored[0], np.rint(resampled))


def test_each_channel_has_its_own_normalization():
    first = RNG.normal(100, 10, (6, 6, 6)).astype(np.float32)
    second = RNG.normal(5000, 900, (6, 6, 6)).astype(np.float32)
    channels = [Volume(a, AFFINE) for a in (first, second)]
    read = store_channels(channels, None, "zscore").read((0, 0, 0), (6, 6, 6))
    for index, array in enumerate((first, second)):
        expected = fit_intensity("zscore", array).normalize(array)
        np.testing.assert_allclose(read[..., index], expected, atol=1e-3)


def test_outside_of_mr_is_the_smallest_value():
    array = RNG.normal(100, 10, (6, 6, 6)).astype(np.float32)
    scan = store_channels([Volume(array, AFFINE)], None, "zscore")
    assert scan.outside == (-32768,)
    around = scan.read((-1, 0, 0), (6, 6, 6))
    assert np.all(around[0] == around.min())


@pytest.mark.parametrize("kind", ["ct", "zscore"])
def test_constant_image_is_stored(kind):
    volume = Volume(np.full((4, 5, 6), 40, np.int16), AFFINE)
    scan = store_channels([volume], (2, 2, 2), kind)
    expected = 40 / 218 if kind == "ct" else 0
    read = scan.read((0, 0, 0), scan.shape)
    np.testing.assert_allclose(read, expected, rtol=1e-6)
