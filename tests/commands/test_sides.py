"""Left and right of merged classes."""

import dataclasses

import numpy as np
import pytest

from keras_isample.commands.sides import side_cohort
from keras_isample.commands.sides import split_sides
from keras_isample.data.cohort import Cohort
from keras_isample.data.structures import choose_classes
from keras_isample.volumes.volume import Volume

STRUCTURES = {"liver": 1, "left_kidney": 2, "right_kidney": 3}


@pytest.fixture
def cohort(tmp_path):
    return Cohort(
        path=tmp_path,
        layout="test",
        cases=(),
        structures=STRUCTURES,
        classes=choose_classes(tuple(STRUCTURES), ["liver", "kidney"]),
        channel_names=("CT",),
    )


def test_merged_classes_come_apart(cohort):
    sides, origins = side_cohort(cohort)
    assert sides.class_names == ("background", "right_kidney", "left_kidney")
    assert origins == (2, 2)


def test_no_merged_class_gives_no_side(cohort):
    classes = choose_classes(tuple(STRUCTURES), ["liver"])
    sides, origins = side_cohort(dataclasses.replace(cohort, classes=classes))
    assert (sides.classes, origins) == ((), ())


@pytest.mark.parametrize("direction", [1, -1])
def test_voxels_go_to_the_side_they_lie_on(cohort, direction):
    sides, origins = side_cohort(cohort)
    affine = np.diag([2.0 * direction, 2.0, 2.0, 1.0])
    reference = np.zeros((20, 4, 4), np.uint8)
    # The body lies at one end of the scan, so its middle is not the plane.
    near, far = (2, 1) if direction > 0 else (1, 2)
    reference[1:3], reference[7:9] = near, far
    prediction = np.zeros((20, 4, 4), np.uint8)
    prediction[0:4], prediction[6:8] = 2, 2
    prediction[12:] = 1
    parts = split_sides(
        Volume(prediction, affine), Volume(reference, affine), sides, origins
    )
    expected = np.zeros((20, 4, 4), np.uint8)
    expected[0:4], expected[6:8] = near, far
    np.testing.assert_array_equal(parts.array, expected)
