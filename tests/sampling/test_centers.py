"""Every voxel of every class, each once, by its rank."""

import numpy as np
import pytest

from keras_isample.sampling.centers import ClassVoxels


def voxels_of(voxels, row, label):
    """All voxels of a class, by rank."""
    count = int(voxels.counts.numpy()[row, label])
    ranks = np.arange(count)
    return voxels.by_rank(
        np.full(count, row), np.full(count, label), ranks
    ).numpy()


def assert_all_listed(voxels, row, label_map):
    for label in range(voxels.counts.shape[1]):
        expected = np.flatnonzero(label_map.ravel() == label)
        assert voxels_of(voxels, row, label).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(4, 6, 2), (5, 3, 7), (1, 1, 9)])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_ranks_list_each_voxel_once(make_case, shape, share):
    rng = np.random.default_rng(1)
    label_map = rng.integers(1, 4, shape) * (rng.random(shape) < share)
    voxels = ClassVoxels([make_case(label_map, num_classes=4)])
    voxels.load([0])
    assert_all_listed(voxels, 0, label_map)


def test_background_is_found_behind_long_runs_of_foreground(make_case):
    label_map = np.ones((10, 10, 10), np.uint8)
    label_map[0, 0, 0] = label_map[5, 0, 3] = label_map[-1, -1, -1] = 0
    label_map[2:4] = 2
    voxels = ClassVoxels([make_case(label_map)])
    voxels.load([0])
    assert voxels_of(voxels, 0, 0).tolist() == [0, 503, 999]


def test_long_runs_of_foreground_take_few_steps(make_case, monkeypatch):
    label_map = np.zeros((10, 10, 20), np.uint8)
    label_map[:5] = 1
    voxels = ClassVoxels([make_case(label_map)])
    voxels.load([0])
    steps = []
    count = voxels._foreground_up_to
    monkeypatch.setattr(
        voxels,
        "_foreground_up_to",
        lambda *arguments: steps.append(1) or count(*arguments),
    )
    assert voxels_of(voxels, 0, 0).tolist() == list(range(1000, 2000))
    assert len(steps) <= 2 * (2000).bit_length()


def test_background_is_found_between_alternating_foreground(make_case):
    label_map = np.indices((6, 6, 6)).sum(axis=0) % 2
    voxels = ClassVoxels([make_case(label_map)])
    voxels.load([0])
    assert_all_listed(voxels, 0, label_map)


def test_case_without_background(make_case):
    voxels = ClassVoxels([make_case(np.ones((2, 3, 2)))])
    voxels.load([0])
    assert voxels_of(voxels, 0, 1).tolist() == list(range(12))


def test_case_of_background_only_beside_another(make_case):
    empty, other = np.zeros((3, 3, 3)), np.ones((2, 2, 2))
    other[0] = 0
    cases = [
        make_case(empty, num_classes=2, name="empty"),
        make_case(other, name="other"),
    ]
    voxels = ClassVoxels(cases)
    for order in ([0, 1], [1, 0]):
        voxels.load(order)
        assert voxels_of(voxels, order.index(0), 0).tolist() == list(range(27))


def test_only_cases_of_background_only(make_case):
    cases = [
        make_case(np.zeros((3, 2, 2)), num_classes=2, name="empty"),
        make_case(np.ones((2, 2, 2)), name="other"),
    ]
    voxels = ClassVoxels(cases)
    voxels.load([0])
    assert voxels_of(voxels, 0, 0).tolist() == list(range(12))


def test_each_case_keeps_its_own_voxels(make_case):
    rng = np.random.default_rng(2)
    maps = [rng.integers(0, 3, shape) for shape in ((3, 4, 5), (4, 4, 4))]
    cases = [
        make_case(label_map, num_classes=3, name=f"case{i}")
        for i, label_map in enumerate(maps)
    ]
    voxels = ClassVoxels(cases)
    voxels.load([0, 1])
    assert_all_listed(voxels, 0, maps[0])
    assert_all_listed(voxels, 1, maps[1])


def test_loading_a_subset_replaces_what_was_loaded(make_case):
    rng = np.random.default_rng(3)
    maps = [rng.integers(0, 3, (3, 3, 3)) for _ in range(3)]
    cases = [
        make_case(label_map, num_classes=3, name=f"case{i}")
        for i, label_map in enumerate(maps)
    ]
    voxels = ClassVoxels(cases)
    voxels.load([0, 1, 2])
    voxels.load([2])
    assert len(voxels.counts.numpy()) == 1
    assert_all_listed(voxels, 0, maps[2])


def test_classes_in_one_call_do_not_mix(make_case):
    label_map = np.array([0, 2, 1, 0, 2, 0]).reshape(1, 2, 3)
    voxels = ClassVoxels([make_case(label_map)])
    voxels.load([0])
    found = voxels.by_rank(
        np.zeros(4, np.int64), np.array([2, 0, 1, 0]), np.array([1, 2, 0, 0])
    )
    assert found.numpy().tolist() == [4, 5, 2, 0]
