"""Grids of networks without context, and of slices."""

import pytest

from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry


def test_a_volume_has_the_center_at_half_its_size():
    geometry = PlainGeometry(5)
    (image,) = geometry.inputs
    assert image.size == geometry.labels.size == (5, 5, 5)
    assert image.first == geometry.labels.first == (-2, -2, -2)


@pytest.mark.parametrize(
    "axis, size", [(0, (1, 6, 4)), (1, (6, 1, 4)), (2, (6, 4, 1))]
)
def test_a_slice_is_one_voxel_thick_across_its_axis(axis, size):
    geometry = SliceGeometry((6, 4), axis)
    assert geometry.inputs[0].size == geometry.labels.size == size
    assert geometry.labels.first == tuple(-(side // 2) for side in size)


def test_one_number_is_both_sides():
    assert SliceGeometry(8, 0).labels.size == (1, 8, 8)


@pytest.mark.parametrize("size", [(6, 4, 1), (6,), (0, 4)])
def test_other_numbers_of_sides_are_refused(size):
    with pytest.raises(ValueError, match="`patch_size`"):
        SliceGeometry(size)


def test_there_are_three_axes():
    with pytest.raises(ValueError, match="`axis`"):
        SliceGeometry(8, 3)
