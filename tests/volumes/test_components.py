import nibabel as nib
import numpy as np
import pytest

from keras_isample.volumes import components
from keras_isample.volumes.components import Removed
from keras_isample.volumes.components import component_sizes
from keras_isample.volumes.components import keep_largest_components
from keras_isample.volumes.components import keep_largest_in_scan
from keras_isample.volumes.volume import Volume


def test_only_the_largest_component_of_a_class_stays():
    label_map = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [2, 0, 2, 2]])
    expected = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2]]
    np.testing.assert_array_equal(keep_largest_components(label_map), expected)


def test_classes_do_not_connect_each_other():
    label_map = np.array([1, 1, 2, 1, 1, 1])
    expected = [0, 0, 2, 1, 1, 1]
    np.testing.assert_array_equal(keep_largest_components(label_map), expected)


def test_voxels_that_share_a_corner_are_connected():
    label_map = np.zeros((3, 3, 3), np.uint8)
    label_map[0, 0, 0] = label_map[1, 1, 1] = label_map[2, 2, 2] = 1
    np.testing.assert_array_equal(keep_largest_components(label_map), label_map)


def test_a_pair_keeps_its_two_largest():
    label_map = np.array([1, 0, 1, 1, 1, 0, 1, 1, 0])
    expected = [0, 0, 1, 1, 1, 0, 1, 1, 0]
    kept = keep_largest_components(label_map, counts={1: 2})
    np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize("size, kept", [(1, 0), (2, 2)])
def test_second_of_a_pair_needs_a_fifth_of_the_first(size, kept):
    label_map = np.zeros(20, np.int16)
    label_map[:10] = 1
    label_map[12 : 12 + size] = 1
    result = keep_largest_components(label_map, counts={1: 2})
    assert result[12:].sum() == kept
    assert result[:10].sum() == 10


def test_of_equal_components_the_first_wins():
    label_map = np.array([0, 1, 1, 0, 1, 1])
    kept = keep_largest_components(label_map)
    np.testing.assert_array_equal(kept, [0, 1, 1, 0, 0, 0])


def test_component_of_another_class_within_the_box_is_left_alone():
    label_map = np.zeros((5, 5), int)
    label_map[0, :] = label_map[:, 0] = label_map[4, 4] = 1
    label_map[2, 2] = 2
    kept = keep_largest_components(label_map)
    assert kept[2, 2] == 2
    assert kept[4, 4] == 0


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtype_stays_and_input_is_not_modified(dtype, order):
    label_map = np.zeros((4, 3, 5), dtype, order=order)
    label_map[0, 0, 0] = label_map[3, 2, 3:] = 1
    before = label_map.copy()
    kept = keep_largest_components(label_map)
    assert kept.dtype == dtype
    assert kept.sum() == 2
    np.testing.assert_array_equal(label_map, before)


def test_read_only_input_is_accepted():
    label_map = np.array([1, 0, 1, 1])
    label_map.flags.writeable = False
    np.testing.assert_array_equal(
        keep_largest_components(label_map), [0, 0, 1, 1]
    )


def test_label_values_need_not_be_consecutive():
    label_map = np.array([7, 0, 7, 7, 0, 200])
    np.testing.assert_array_equal(
        keep_largest_components(label_map), [0, 0, 7, 7, 0, 200]
    )


def test_count_of_an_absent_class_is_ignored():
    label_map = np.array([1, 1])
    kept = keep_largest_components(label_map, counts={5: 2})
    np.testing.assert_array_equal(kept, [1, 1])


@pytest.mark.parametrize("shape", [(4, 4, 4), (0, 4)])
def test_background_only_stays_as_it_is(shape):
    label_map = np.zeros(shape, np.uint8)
    np.testing.assert_array_equal(keep_largest_components(label_map), label_map)


@pytest.mark.parametrize(
    "label_map, counts, words",
    [
        (np.array([0.0, 1.0]), None, "float64"),
        (np.array([-1, 1]), None, "-1"),
        (np.array([0, 1]), {1: 0}, "class 1"),
    ],
)
def test_bad_input_is_refused(label_map, counts, words):
    with pytest.raises(ValueError, match=words):
        keep_largest_components(label_map, counts=counts)


@pytest.mark.parametrize("voxels", [1, 20, 10**6])
def test_components_reach_across_slabs(monkeypatch, voxels):
    monkeypatch.setattr(components, "_SLAB_VOXELS", voxels)
    label_map = np.zeros((9, 4, 3), np.uint8)
    label_map[1:8, 1, 1] = 1
    expected = label_map.copy()
    label_map[:6, 3] = 1
    label_map[3, 3] = 0
    np.testing.assert_array_equal(
        keep_largest_components(label_map)[:, 3],
        keep_largest_components(label_map[:, 3]),
    )
    label_map[:2, 3] = label_map[4:6, 3, 1:] = 0
    np.testing.assert_array_equal(keep_largest_components(label_map), expected)


@pytest.mark.parametrize("codes", ["RAS", "PLI", "SRA", "LPS"])
def test_of_equal_components_the_same_stays_in_any_orientation(codes):
    array = np.zeros((6, 7, 8), np.uint8)
    array[0, 6, 7] = array[5, 0, 0] = array[3, 3, 3] = 1
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    change = nib.orientations.axcodes2ornt(codes)
    back = nib.orientations.inv_ornt_aff(change, array.shape)
    turned = Volume(nib.apply_orientation(array, change), affine @ back)
    kept, removed = keep_largest_in_scan(turned)
    assert removed == {1: Removed(2, 2)}
    np.testing.assert_array_equal(kept.affine, turned.affine)
    expected = np.zeros_like(array)
    expected[0, 6, 7] = 1
    np.testing.assert_array_equal(
        kept.array, nib.apply_orientation(expected, change)
    )


def test_class_may_keep_all_its_components():
    label_map = np.array([1, 0, 1, 1, 0, 2, 0, 2, 2])
    kept = keep_largest_components(label_map, counts={1: None})
    np.testing.assert_array_equal(kept, [1, 0, 1, 1, 0, 0, 0, 2, 2])


def test_what_was_removed_is_counted():
    array = np.zeros((3, 3, 12), np.uint8)
    array[0, 0] = [1, 1, 1, 0, 1, 0, 1, 1, 0, 2, 2, 0]
    _, removed = keep_largest_in_scan(Volume(array, np.eye(4)))
    assert removed == {1: Removed(2, 3)}


def test_sizes_of_components_are_listed_from_the_largest():
    label_map = np.array([1, 0, 1, 1, 1, 0, 1, 1, 0, 3, 0, 3])
    assert component_sizes(label_map, 5, 2) == [[], [3, 2], [], [1, 1], []]


@pytest.mark.parametrize("order", ["C", "F"])
def test_sizes_count_what_shares_a_corner_as_one(order):
    label_map = np.zeros((4, 4, 1), np.uint8, order=order)
    label_map[0, 0] = label_map[1, 1] = label_map[3, 3] = 1
    assert component_sizes(label_map, 2, 3) == [[], [2, 1]]
