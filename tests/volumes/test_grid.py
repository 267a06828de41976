import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.grid import largest_shift
from keras_isample.volumes.volume import Volume

AFFINE = np.diag([-1.0, 1, 2, 1])
SCAN = Volume(np.zeros((100, 50, 20)), AFFINE)


def moved(translation=(0, 0, 0), spacing=(-1, 1, 2)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = translation
    return Volume(np.zeros((100, 50, 20)), affine)


def refusal(other):
    with pytest.raises(InputError) as error:
        check_same_grid(SCAN, "image.nii", other, "label.nii")
    return str(error.value)


def test_equal_grids_pass():
    check_same_grid(SCAN, "image.nii", moved(), "label.nii")


def test_a_grid_without_voxels_will_do():
    grid = Grid((100, 50, 20), AFFINE)
    check_same_grid(SCAN, "image.nii", grid, "label.nii")


def test_rounding_errors_pass():
    check_same_grid(SCAN, "image.nii", moved((1e-4, 0, 0)), "label.nii")


def test_shift_up_to_a_tenth_of_the_finest_spacing_passes():
    check_same_grid(SCAN, "image.nii", moved((0, 0, 0.099)), "label.nii")
    assert "0.11 mm apart" in refusal(moved((0, 0, 0.11)))


def test_both_files_and_both_shapes_are_named():
    text = refusal(Volume(np.zeros((99, 50, 20)), AFFINE))
    assert text.startswith("label.nii: has 99x50x20 voxels but image.nii has ")
    assert "100x50x20" in text


def test_shift_names_both_files_and_the_distance():
    text = refusal(moved((3, 4, 0)))
    assert text.startswith("label.nii: lies elsewhere than image.nii: ")
    assert "up to 5 mm apart" in text


def test_spacing_that_adds_up_over_many_voxels_is_found():
    assert "mm apart" in refusal(moved(spacing=(-1.002, 1, 2)))


def test_flipped_axis_is_found():
    assert "mm apart" in refusal(moved(spacing=(1, 1, 2)))


def test_nan_is_refused():
    assert "mm apart" in refusal(moved((np.nan, 0, 0)))


def test_largest_shift_is_at_a_corner():
    other = AFFINE + np.diag([0, 0, 1, 0])
    assert largest_shift(AFFINE, other, (3, 3, 4)) == 3.5
