"""Every voxel of a class, each with the same chance."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.sampling.centers import ClassVoxels
from keras_isample.sampling.mapped import MappedCases


def class_voxels(*cases):
    return ClassVoxels(MappedCases(cases))


def voxels_of(voxels, index, label):
    """All voxels of a class, in the order of the draws that lead to them."""
    case = voxels.cases[index]
    number = case.trained_counts[label]
    if label == 0 and voxels.listed(index, 0) is None:
        number = case.size
    uniform = (np.arange(number) + 0.5) / number
    positions, belongs = voxels.candidates(index, label, uniform)
    assert belongs.mean() == pytest.approx(voxels.share(index, label))
    return positions[belongs].tolist()


def assert_all_found(voxels, index, label_map):
    for label in range(len(voxels.cases[index].counts)):
        expected = np.flatnonzero(np.ravel(label_map) == label)
        if len(expected):
            assert voxels_of(voxels, index, label) == expected.tolist()


@pytest.mark.parametrize("shape", [(4, 6, 2), (5, 3, 7), (1, 1, 9)])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_even_draws_lead_to_each_voxel_once(make_case, shape, share):
    rng = np.random.default_rng(1)
    label_map = rng.integers(1, 4, shape) * (rng.random(shape) < share)
    case = make_case(label_map, num_classes=4)
    assert_all_found(class_voxels(case), 0, label_map)


@pytest.mark.parametrize("share", [0.05, 0.9])
def test_background_has_the_voxels_of_merged_classes(make_case, share):
    rng = np.random.default_rng(2)
    label_map = rng.integers(1, 4, (5, 3, 7)) * (rng.random((5, 3, 7)) < share)
    case = replace(make_case(label_map, num_classes=4), merged=(2,))
    label_map[label_map == 2] = 0
    assert_all_found(class_voxels(case), 0, label_map)


@pytest.mark.parametrize("label", [0, 1])
def test_the_ends_of_the_draws_are_the_first_and_last_voxel(make_case, label):
    label_map = np.full((3, 3, 3), label)
    voxels = class_voxels(make_case(label_map, num_classes=2))
    ends = np.array([0.0, np.nextafter(1.0, 0.0)])
    assert voxels.candidates(0, label, ends)[0].tolist() == [0, 26]


def test_rare_background_is_listed_and_common_background_is_not(make_case):
    rare, common = np.ones((4, 4, 4)), np.zeros((4, 4, 4))
    rare[1, 2, 3] = rare[3, 3, 3] = 0
    common[0] = 1
    voxels = class_voxels(
        make_case(rare, name="rare"), make_case(common, name="common")
    )
    assert voxels.listed(0, 0).tolist() == [27, 63]
    assert voxels.listed(1, 0) is None
    assert voxels.share(0, 0) == 1
    assert voxels.share(1, 0) == 0.75
    assert_all_found(voxels, 0, rare)
    assert_all_found(voxels, 1, common)


def test_foreground_among_background_candidates_does_not_belong(make_case):
    label_map = np.zeros((2, 2, 2))
    label_map[0, 1, 1] = 1
    voxels = class_voxels(make_case(label_map))
    positions, belongs = voxels.candidates(0, 0, (np.arange(8) + 0.5) / 8)
    assert positions[~belongs].tolist() == [3]


def test_each_case_keeps_its_own_voxels(make_case):
    rng = np.random.default_rng(2)
    maps = [rng.integers(0, 3, shape) for shape in ((3, 4, 5), (4, 4, 4))]
    cases = [
        make_case(label_map, num_classes=3, name=f"case{i}")
        for i, label_map in enumerate(maps)
    ]
    voxels = class_voxels(*cases)
    assert_all_found(voxels, 0, maps[0])
    assert_all_found(voxels, 1, maps[1])
