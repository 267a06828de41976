import itertools

import nibabel as nib
import numpy as np
import pytest

from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import from_canonical
from keras_isample.volumes.volume import to_canonical

COUNTED = np.arange(2 * 3 * 4).reshape(2, 3, 4)
ORIENTATIONS = [
    "".join(letters)
    for order in itertools.permutations(["LR", "PA", "IS"])
    for letters in itertools.product(*order)
]


def oriented(codes, tilt=0.0, spacing=(1.0, 2.0, 3.0), shape=(2, 3, 4)):
    """A volume whose axes point as `codes` say, perhaps a little tilted."""
    orientation = nib.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    rotation = np.array(
        [
            [np.cos(tilt), -np.sin(tilt), 0],
            [np.sin(tilt), np.cos(tilt), 0],
            [0, 0, 1],
        ]
    )
    for axis, (target, sign) in enumerate(orientation):
        column = np.zeros(3)
        column[int(target)] = sign * spacing[axis]
        affine[:3, axis] = rotation @ column
    affine[:3, 3] = (-7, 11, 5)
    return Volume(np.arange(np.prod(shape)).reshape(shape), affine)


def world(volume):
    """World position of each voxel by its value."""
    places = np.argwhere(np.ones(volume.shape))
    return {
        int(volume.array[tuple(place)]): nib.affines.apply_affine(
            volume.affine, place
        )
        for place in places
    }


def test_all_48_orientations_are_tried():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_canonical_voxels_stay_where_they_are(codes, tilt):
    volume = oriented(codes, tilt)
    canonical = to_canonical(volume)
    assert canonical.orientation == "RAS"
    before, after = world(volume), world(canonical)
    for value, place in before.items():
        np.testing.assert_allclose(after[value], place, atol=1e-9)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_from_canonical_undoes_to_canonical(codes):
    volume = oriented(codes, 0.2)
    back = from_canonical(to_canonical(volume).array, volume)
    assert np.array_equal(back, volume.array)


def test_further_axes_come_along():
    volume = oriented("PLI")
    canonical = to_canonical(volume)
    array = np.stack([canonical.array, -canonical.array], axis=-1)
    back = from_canonical(array, volume)
    assert np.array_equal(back[..., 0], volume.array)
    assert np.array_equal(back[..., 1], -volume.array)


def test_spacing_is_of_the_axes_and_not_of_the_header():
    assert oriented("PIR", 0.3).spacing == pytest.approx((1, 2, 3))


def test_orientation_is_the_closest():
    assert oriented("PLI").orientation == "PLI"
    assert oriented("PLI", 0.2).orientation == "PLI"


def test_shape_is_that_of_the_spatial_axes():
    assert Volume(np.zeros((2, 3, 4, 5)), np.eye(4)).shape == (2, 3, 4)


def test_affine_becomes_float64():
    volume = Volume(COUNTED, np.eye(4, dtype=np.float32).tolist())
    assert volume.affine.dtype == np.float64


def test_flat_arrays_are_refused():
    with pytest.raises(ValueError, match="three spatial axes"):
        Volume(COUNTED[0], np.eye(4))


def test_other_matrices_are_refused():
    with pytest.raises(ValueError, match="4x4"):
        Volume(COUNTED, np.eye(3))


def test_short_text():
    volume = Volume(np.zeros((2, 3, 4), np.uint8), np.diag([1.5, 1, 2, 1]))
    assert repr(volume) == "<Volume 2 x 3 x 4 uint8, 1.5 x 1 x 2 mm, RAS>"


@pytest.mark.parametrize("value", [np.nan, 0])
def test_short_text_without_a_place(value):
    volume = Volume(np.zeros((2, 3, 4)), np.full((4, 4), value))
    assert repr(volume) == "<Volume 2 x 3 x 4 float64, no usable affine>"
