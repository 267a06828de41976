import nibabel as nib
import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import largest_shift
from keras_isample.volumes.grid import onto_grid
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


def reoriented(volume, codes):
    """The same voxels stored with axes of other directions."""
    there = nib.orientations.axcodes2ornt(codes)
    change = nib.orientations.ornt_transform(
        nib.io_orientation(volume.affine), there
    )
    array = nib.apply_orientation(volume.array, change)
    back = nib.orientations.inv_ornt_aff(change, volume.shape)
    return Volume(array, volume.affine @ back)


def counted(turn=(0, 0, 0)):
    affine = nib.affines.from_matvec(
        nib.eulerangles.euler2mat(*turn) @ np.diag([-1.0, 1.5, 2]), (5, -7, 3)
    )
    return Volume(np.arange(120).reshape(4, 5, 6), affine)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "ASR", "SLP", "PIR", "IAL"])
@pytest.mark.parametrize("turn", [(0, 0, 0), (0.3, -0.2, 0.1)])
def test_axes_in_another_order_are_turned(codes, turn):
    scan = counted(turn)
    turned = onto_grid(scan, "a.nii", reoriented(scan, codes), "b.nii")
    assert np.array_equal(turned.array, scan.array)
    np.testing.assert_allclose(turned.affine, scan.affine, atol=1e-9)


def test_what_lies_on_the_grid_is_not_copied():
    scan, other = counted(), counted()
    assert onto_grid(scan, "a.nii", other, "b.nii") is other
    assert check_same_place(scan, "a.nii", other, "b.nii") is None


def test_a_slice_stored_along_another_axis_is_turned():
    scan = Volume(np.arange(20).reshape(4, 5, 1), np.diag([1.0, 1, 8, 1]))
    other = reoriented(scan, "SAR")
    assert other.shape == (1, 5, 4)
    turned = onto_grid(scan, "a.nii", other, "b.nii")
    assert np.array_equal(turned.array, scan.array)


@pytest.mark.parametrize("shift", [(0, 0, 1), (-30, 0, 0)])
def test_turned_axes_at_another_place_are_refused(shift):
    scan = counted()
    other = reoriented(scan, "LPS")
    other.affine[:3, 3] += shift
    with pytest.raises(InputError, match="b.nii: lies elsewhere than a.nii"):
        onto_grid(scan, "a.nii", other, "b.nii")


def test_flipped_voxels_in_another_place_are_refused():
    # A header without the shift that a flip needs: another place.
    scan = counted()
    other = Volume(scan.array, scan.affine @ np.diag([-1, 1, 1, 1]))
    with pytest.raises(InputError, match="lies elsewhere"):
        onto_grid(scan, "a.nii", other, "b.nii")


def test_turned_axes_of_another_shape_are_refused():
    scan = counted()
    other = reoriented(scan, "SLP")
    other = Volume(other.array[:-1], other.affine)
    with pytest.raises(InputError, match="b.nii: has 5x4x5 voxels but a.nii"):
        onto_grid(scan, "a.nii", other, "b.nii")


@pytest.mark.parametrize("affine", [np.full((4, 4), np.nan), np.zeros((4, 4))])
def test_an_affine_that_cannot_be_turned_is_refused(affine):
    with pytest.raises(InputError, match="b.nii"):
        check_same_place(counted(), "a.nii", Grid((4, 5, 6), affine), "b.nii")
