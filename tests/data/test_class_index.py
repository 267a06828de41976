import numpy as np
import pytest

from keras_isample.data.class_index import index_classes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (8, 8, 8), (7, 1, 2)])
def test_foreground_voxels_are_listed_class_by_class(shape):
    label_map = RNG.choice([0, 0, 0, 1, 2, 4], shape).astype(np.uint8)
    positions, counts = index_classes(label_map, 5)
    expected = np.concatenate(
        [np.flatnonzero(label_map == k) for k in range(1, 5)]
    )
    assert np.array_equal(positions, expected)
    assert counts.tolist() == [np.sum(label_map == k) for k in range(5)]


def test_index_takes_4_bytes_per_foreground_voxel():
    label_map = (RNG.random((20, 21, 22)) < 0.1).astype(np.uint8)
    positions, _ = index_classes(label_map, 2)
    assert positions.dtype == np.int32
    assert positions.nbytes == 4 * np.count_nonzero(label_map)


def test_fortran_order_changes_nothing():
    label_map = RNG.integers(0, 3, (4, 5, 6)).astype(np.uint8)
    plain, _ = index_classes(label_map, 3)
    fortran, _ = index_classes(np.asfortranarray(label_map), 3)
    assert np.array_equal(plain, fortran)


def test_empty_map_has_only_background():
    positions, counts = index_classes(np.zeros((2, 3, 4), np.uint8), 3)
    assert positions.size == 0
    assert counts.tolist() == [24, 0, 0]


def test_map_without_background_is_listed_whole():
    positions, counts = index_classes(np.ones((2, 3, 4), np.uint8), 2)
    assert np.array_equal(positions, np.arange(24))
    assert counts.tolist() == [0, 24]


def test_map_that_int32_cannot_address_is_refused():
    huge = np.broadcast_to(np.uint8(0), (2048, 1024, 1024))
    with pytest.raises(ValueError, match="coarser spacing"):
        index_classes(huge, 2)
