"""Error maps: rounding, histograms, weights, files."""

import os
from dataclasses import replace

import numpy as np
import pytest

from keras_isample.sampling.error_map_files import read_tiles
from keras_isample.sampling.error_map_files import write_tiles
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.error_maps import round_errors
from keras_isample.sampling.error_maps import stored_errors


def one_hot_probabilities(rng, shape, classes):
    p = rng.random((*shape, classes))
    return (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def two_cases(make_case):
    rng = np.random.default_rng(0)
    return [
        make_case(rng.integers(0, 3, (5, 4, 3)), num_classes=3, name="a"),
        make_case(rng.integers(0, 3, (4, 4, 4)), num_classes=3, name="b"),
    ]


def test_no_error_stays_no_error():
    assert round_errors(np.zeros(100_000, np.float32), 0).max() == 0


def test_an_error_of_1_stays_1():
    assert round_errors(np.ones(100_000, np.float32), 0).min() == 255


@pytest.mark.parametrize("error", [0.1 / 255, 0.3, 100.75 / 255, 254.5 / 255])
def test_rounding_keeps_the_expected_error(error):
    stored = round_errors(np.full(200_000, error, np.float32), 1)
    deviation = np.sqrt(0.25 / 200_000)
    assert abs(stored.mean() - 255 * error) < 5 * deviation


def test_rounding_takes_only_the_two_nearest_levels():
    stored = round_errors(np.full(1000, 100.75 / 255, np.float32), 1)
    assert set(stored.tolist()) == {100, 101}


def test_a_small_error_is_stored_at_some_voxels():
    stored = round_errors(np.full(10_000, 0.1 / 255, np.float32), 2)
    assert set(stored.tolist()) == {0, 1}


def test_errors_a_rounding_beyond_0_and_1_are_clipped():
    stored = round_errors(np.array([-1e-6, 1 + 1e-6], np.float32), 0)
    assert stored.tolist() == [0, 255]


def test_rounding_is_a_function_of_the_seed():
    errors = np.full(1000, 0.501, np.float32)
    first, again = round_errors(errors, (1, 2)), round_errors(errors, (1, 2))
    assert (first == again).all()
    assert (first != round_errors(errors, (1, 3))).any()


def predicted(maps, index, tiles, version=1):
    """Makes the map of tiles of probabilities and returns it."""
    errors = stored_errors(maps.cases[index], tiles, (0, version))
    return maps.update(index, None, errors, version=version, seed=0)


def test_map_is_one_minus_probability_of_the_true_class(tmp_path, two_cases):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    rng = np.random.default_rng(1)
    p = one_hot_probabilities(rng, (5, 4, 3), 3)
    error_map = predicted(maps, 0, [((0, 0, 0), p[:4]), ((4, 0, 0), p[4:])])
    stored = np.load(error_map.path)
    labels = two_cases[0].labels()
    true = np.take_along_axis(p, labels[..., None].astype(int), -1)[..., 0]
    assert np.abs(stored / 255 - (1 - true)).max() < 1 / 255


def test_histogram_counts_the_levels_of_each_true_class(tmp_path, two_cases):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    p = one_hot_probabilities(np.random.default_rng(2), (5, 4, 3), 3)
    tiles = [((0, 0, 0), p[:, :2]), ((0, 2, 0), p[:, 2:])]
    error_map = predicted(maps, 0, tiles)
    stored = np.load(error_map.path)
    for label in range(3):
        of_class = stored[two_cases[0].labels() == label]
        expected = np.bincount(of_class, minlength=256)
        assert (error_map.histogram[label] == expected).all()


def test_merged_classes_and_background_are_right_together(make_case):
    case = make_case([[[0, 1, 2, 3]]])
    maps = ErrorMaps([replace(case, merged=(2, 3))])
    # In 255ths, so that nothing is rounded.
    p = [[51, 102, 0, 102], [51, 51, 102, 51], [0, 204, 51, 0], [0, 0, 0, 255]]
    p = np.array(p, np.float64)[None, None] / 255
    error_map = predicted(
        maps, 0, [((0, 0, 0), p[:, :, :2]), ((0, 0, 2), p[:, :, 2:])]
    )
    stored = np.load(error_map.path)
    # Class 1 alone is itself: 255 - 51. Of 2 and 3 parts were annotated.
    assert stored.tolist() == [[[102, 204, 204, 0]]]
    levels = [np.flatnonzero(row).tolist() for row in error_map.histogram]
    assert levels == [[0, 102, 204], [204], [], []]
    assert maps.weights(0, 0) == pytest.approx([1.2 / 3, 0.8, 0, 0])
    assert maps.mean_error(0) == pytest.approx(0.5)


def test_weights_are_the_mean_chance_of_acceptance(make_case, set_error_map):
    case = make_case([[[0, 0, 1, 1, 1]]], num_classes=3)
    maps = ErrorMaps([case])
    set_error_map(maps, 0, [[[0, 51, 0, 255, 102]]])
    # (0.1 + 0.3) / 2; (0.1 + 1 + 0.5) / 3; no voxel.
    assert maps.weights(0, 0.1) == pytest.approx([0.2, 1.6 / 3, 0])


def test_a_case_without_map_weighs_1_in_each_class_it_has(make_case):
    maps = ErrorMaps([make_case([[[0, 0, 2]]], num_classes=4)])
    assert maps.weights(0, 0.01).tolist() == [1, 0, 1, 0]


def test_mean_error_is_over_all_voxels(make_case, set_error_map):
    maps = ErrorMaps([make_case([[[0, 0, 0, 1]]])])
    assert maps.mean_error(0) == 1
    set_error_map(maps, 0, [[[0, 51, 51, 102]]])
    assert maps.mean_error(0) == pytest.approx(0.2)


def test_errors_are_those_of_the_newest_map(two_cases, set_error_map):
    maps = ErrorMaps(two_cases)
    set_error_map(maps, 1, np.zeros((4, 4, 4)), version=1)
    assert maps.errors(1).max() == 0
    # The same file once more, as after `restore`.
    set_error_map(maps, 1, np.full((4, 4, 4), 3), version=1)
    assert set(maps.errors(1).tolist()) == {3}
    set_error_map(maps, 1, np.arange(64).reshape(4, 4, 4), version=2)
    assert maps.errors(1).tolist() == list(range(64))


def test_state_brings_an_earlier_map_back(tmp_path, two_cases, set_error_map):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    set_error_map(maps, 0, np.full((5, 4, 3), 10), version=1)
    state = maps.state()
    set_error_map(maps, 0, np.full((5, 4, 3), 20), version=2)
    set_error_map(maps, 1, np.full((4, 4, 4), 20), version=2)
    again = ErrorMaps(two_cases, tmp_path / "maps")
    again.restore(state)
    assert again[1] is None
    assert again.mean_error(0) == pytest.approx(10 / 255)
    assert set(again.errors(0).tolist()) == {10}


def test_restore_names_a_missing_map(tmp_path, two_cases, set_error_map):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    set_error_map(maps, 0, np.zeros((5, 4, 3)))
    state = maps.state()
    maps[0].path.unlink()
    with pytest.raises(ValueError, match="00000-000001.npy is missing"):
        maps.restore(state)


def test_map_made_elsewhere_is_taken(two_cases, tmp_path, set_error_map):
    levels = np.random.default_rng(3).integers(0, 256, (4, 4, 4))
    path = tmp_path / "elsewhere.npy"
    write_tiles(path, (4, 4, 4), [((0, 0, 0), levels.astype(np.uint8))])
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    maps.update(1, None, read_tiles(path), version=3, seed=0)
    expected = ErrorMaps(two_cases)
    set_error_map(expected, 1, levels, version=3)
    assert maps[1].version == 3
    assert maps[1].path.read_bytes() == expected[1].path.read_bytes()
    assert (maps[1].histogram == expected[1].histogram).all()
    again = ErrorMaps(two_cases, tmp_path / "maps")
    again.restore(maps.state())
    assert again[1] is not None


def test_only_files_of_replaced_maps_are_removed(
    tmp_path, two_cases, set_error_map
):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    set_error_map(maps, 0, np.zeros((5, 4, 3)), version=1)
    set_error_map(maps, 1, np.zeros((4, 4, 4)), version=1)
    set_error_map(maps, 0, np.zeros((5, 4, 3)), version=2)
    maps.remove_unused()
    left = {path.name.split(".")[0] for path in (tmp_path / "maps").iterdir()}
    assert left == {"00000-000002", "00001-000001"}


def test_maps_that_are_not_kept_count_as_1(two_cases, set_error_map):
    maps = ErrorMaps(two_cases)
    for index, case in enumerate(two_cases):
        set_error_map(maps, index, np.zeros(case.shape))
    maps.keep([1])
    assert maps.mean_error(0) == 1
    assert maps.mean_error(1) == 0
    assert maps[0] is None


@pytest.mark.parametrize("resumed", [False, True])
def test_map_that_was_not_kept_comes_again_with_its_mean(
    tmp_path, two_cases, set_error_map, resumed
):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    set_error_map(maps, 0, np.full((5, 4, 3), 10), version=1)
    maps.keep([1])
    maps.remove_unused()
    if resumed:
        state = maps.state()
        maps = ErrorMaps(two_cases, tmp_path / "maps")
        maps.restore(state)
    set_error_map(maps, 0, np.full((5, 4, 3), 20), version=2)
    assert set(maps.errors(0).tolist()) == {20}
    assert maps.mean_error(0) == pytest.approx(20 / 255)
    assert set(maps.running_means(0).tolist()) == {15}


def test_files_of_others_are_left_alone(make_case, tmp_path):
    maps = ErrorMaps([make_case(np.ones((3, 4, 5)))], tmp_path)
    (tmp_path / "mine.npy").write_bytes(b"")
    (tmp_path / "00000-000007.npy").write_bytes(b"")
    maps.remove_unused()
    assert (tmp_path / "mine.npy").exists()
    assert not (tmp_path / "00000-000007.npy").exists()


BLOCK = (4, 3, 5)
SHAPE = (10, 7, 9)


@pytest.fixture
def divided(make_case):
    """Maps of a case in blocks, the last ones reaching over the end."""
    rng = np.random.default_rng(4)
    maps = ErrorMaps([make_case(rng.integers(0, 3, SHAPE), num_classes=4)])
    maps.divide([BLOCK])
    return maps


def refresh(maps, blocks, whole, version):
    """Gives blocks what an array of the whole scan has there."""
    boxes = [maps.grid(0).box(block) for block in blocks]
    values = [(tuple(part.start for part in box), whole[box]) for box in boxes]
    return maps.update(0, blocks, values, version=version, seed=0)


def assert_exact(maps, levels, known):
    """Everything that is read of a map is that of these arrays."""
    case, error_map = maps.cases[0], maps[0]
    labels = case.labels()
    histogram = np.zeros((4, 256), np.int64)
    np.add.at(histogram, (labels[known], levels[known]), 1)
    assert (error_map.histogram == histogram).all()
    filled = levels.astype(np.float64)
    for label in np.unique(labels):
        own = known & (labels == label)
        mean = levels[own].mean() if own.any() else 255
        filled[~known & (labels == label)] = mean
        voxels = np.flatnonzero(labels == label)
        assert maps.errors_of(0, label, voxels) == pytest.approx(
            filled.reshape(-1)[voxels]
        )
        chances = np.minimum(1, filled.reshape(-1) / 255 + 0.1)
        assert maps.chances(0, label, voxels, 0.1) == pytest.approx(
            chances[voxels]
        )
        part = slice(17, 500)
        inside = np.flatnonzero(labels.reshape(-1)[part] == label)
        assert maps.chances(0, label, part, 0.1)[inside] == pytest.approx(
            chances[part][inside]
        )
        assert maps.weights(0, 0.1)[label] == pytest.approx(
            chances[voxels].mean()
        )
    assert maps.mean_error(0) == pytest.approx(filled.mean() / 255)
    assert (maps.errors(0) == np.rint(filled).reshape(-1)).all()
    for block in range(maps.grid(0).size):
        box = maps.grid(0).box(block)
        own = np.where(known, levels, 0)[box].astype(float)
        sums = np.bincount(labels[box].ravel(), own.ravel(), 4)
        assert (error_map.blocks[block, 3:] == sums).all()


def test_blocks_are_refreshed_one_by_one(divided):
    rng = np.random.default_rng(5)
    levels, known = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    for version, blocks in enumerate([[3], [0, 17], [3, 5], [17, 2]], start=1):
        newest = rng.integers(0, 256, SHAPE).astype(np.uint8)
        refresh(divided, blocks, newest, version)
        for block in blocks:
            box = divided.grid(0).box(block)
            levels[box], known[box] = newest[box], True
        assert_exact(divided, levels, known)
    # Two blocks were refreshed twice.
    assert divided[0].blocks[[3, 17, 0, 1], 1].tolist() == [2, 2, 1, 0]
    assert divided[0].blocks[[3, 17, 0], 2].tolist() == [3, 4, 2]


def test_only_blocks_that_were_refreshed_take_space(divided):
    refresh(divided, [3, 0, 17], np.zeros(SHAPE, np.uint8), 1)
    assert np.load(divided[0].path).shape == (3, 60)


def test_single_voxels_are_changed(divided):
    rng = np.random.default_rng(6)
    levels, known = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    for version in (1, 2, 3):
        positions = rng.integers(0, levels.size, 50)
        newest = rng.integers(0, 256, 50).astype(np.uint8)
        blocks, _ = divided.grid(0).find(positions)
        values = [(positions, newest)]
        divided.update(0, blocks, values, version=version, seed=0)
        for place, level in zip(positions, newest, strict=True):
            levels.flat[place], known.flat[place] = level, True
        assert_exact(divided, levels, known)


def test_blocks_and_single_voxels_go_together(divided):
    rng = np.random.default_rng(7)
    levels, known = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    for version in range(1, 6):
        newest = rng.integers(0, 256, SHAPE).astype(np.uint8)
        if version % 2:
            positions = rng.permutation(levels.size)[:40]
            blocks, _ = divided.grid(0).find(positions)
            values = [(positions, newest.flat[positions])]
            divided.update(0, blocks, values, version=version, seed=0)
            levels.flat[positions] = newest.flat[positions]
            known.flat[positions] = True
        else:
            refresh(divided, [version, 11], newest, version)
            for block in (version, 11):
                box = divided.grid(0).box(block)
                levels[box], known[box] = newest[box], True
        assert_exact(divided, levels, known)


def test_single_voxels_of_a_scan_that_is_not_divided(make_case):
    maps = ErrorMaps([make_case(np.zeros(SHAPE), num_classes=4)])
    values = [(np.array([3, 5]), np.array([10, 20], np.uint8))]
    maps.update(0, [0], values, version=1, seed=0)
    levels, known = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    levels.flat[[3, 5]], known.flat[[3, 5]] = [10, 20], True
    assert_exact(maps, levels, known)


def test_a_whole_map_follows_single_voxels(two_cases, set_error_map):
    maps = ErrorMaps(two_cases)
    values = [(np.array([3, 5]), np.array([10, 20], np.uint8))]
    maps.update(0, [0], values, version=1, seed=0)
    levels = np.arange(60).reshape(5, 4, 3)
    set_error_map(maps, 0, levels, version=2)
    assert maps.errors(0).tolist() == list(range(60))
    assert not maps[0].partial
    labels = two_cases[0].labels()
    for label in range(3):
        sums = levels[labels == label].sum()
        assert maps[0].histogram[label] @ np.arange(256) == sums


def test_a_map_that_is_not_whole_is_refused(two_cases):
    maps = ErrorMaps(two_cases)
    half = [((0, 0, 0), np.zeros((5, 4, 2), np.uint8))]
    with pytest.raises(ValueError, match="60 voxels; 40 were written"):
        maps.update(0, None, half, version=1, seed=0)


def test_state_brings_blocks_back(divided):
    rng = np.random.default_rng(8)
    refresh(divided, [1, 4], rng.integers(0, 256, SHAPE).astype(np.uint8), 1)
    divided.saved = 12**12
    state, before = divided.state(), divided.errors(0).copy()
    refresh(divided, [4, 6], rng.integers(0, 256, SHAPE).astype(np.uint8), 2)
    divided.saved = 7
    again = ErrorMaps(divided.cases, divided.folder)
    again.restore(state)
    assert again.saved == 12**12
    assert (again.errors(0) == before).all()
    later = rng.integers(0, 256, SHAPE).astype(np.uint8)
    expected = refresh(again, [4, 6], later, 2)
    divided.restore(state)
    found = refresh(divided, [4, 6], later, 2)
    assert found.path.read_bytes() == expected.path.read_bytes()
    assert (found.blocks == expected.blocks).all()


def test_maps_cannot_be_divided_later(two_cases, set_error_map):
    maps = ErrorMaps(two_cases)
    set_error_map(maps, 0, np.zeros((5, 4, 3)))
    with pytest.raises(ValueError, match="divided"):
        maps.divide([(2, 2, 2)] * 2)


def test_files_are_not_written_to_through_links(tmp_path, divided):
    newest = np.full(SHAPE, 9, np.uint8)
    path = refresh(divided, [1], newest, 1).path
    (tmp_path / "copies").mkdir()
    copies = []
    for file in divided.folder.iterdir():
        copies.append((file, tmp_path / "copies" / file.name))
        os.link(*copies[-1])
    before = [copy.read_bytes() for _, copy in copies]
    # As after a kill between the maps and the state.
    refresh(divided, [1], np.full(SHAPE, 200, np.uint8), 1)
    assert np.load(path).max() == 200
    assert [copy.read_bytes() for _, copy in copies] == before


def test_running_mean_is_that_of_the_errors(divided):
    rng = np.random.default_rng(9)
    case = divided.cases[0]
    sums = np.zeros(SHAPE)
    for version in range(1, 13):
        newest = rng.integers(100, 200, SHAPE).astype(np.uint8)
        values = newest
        refresh(divided, range(divided.grid(0).size), values, version)
        sums += newest
    mean = divided.running_means(0).reshape(case.shape)
    # Each update rounds by less than a level; weights are in 256ths.
    assert np.abs(mean - sums / 12).max() < 8
    assert mean.mean() == pytest.approx(sums.mean() / 12, abs=0.3)


def test_running_mean_begins_with_the_first_error(divided):
    newest = np.arange(630).reshape(SHAPE).astype(np.uint8)
    refresh(divided, [4], newest, 1)
    box = divided.grid(0).box(4)
    mean = divided.running_means(0).reshape(SHAPE)
    assert (mean[box] == newest[box]).all()


def test_small_changes_of_the_running_mean_are_not_lost(make_case):
    shape = (40, 40, 40)
    maps = ErrorMaps([make_case(np.zeros(shape), num_classes=2)])
    levels = [0] * 20 + [4]
    for version, level in enumerate(levels, start=1):
        tiles = [((0, 0, 0), np.full(shape, level, np.uint8))]
        maps.update(0, None, tiles, version=version, seed=0)
    # A weight of 1/16: a quarter of a level, which bytes have on average.
    mean = maps.running_means(0)
    assert set(mean.tolist()) == {0, 1}
    assert mean.mean() == pytest.approx(0.25, abs=0.01)


def test_running_mean_of_a_whole_map_is_a_function_of_the_seed(two_cases):
    def means(seed):
        maps, rng = ErrorMaps(two_cases), np.random.default_rng(0)
        for version in range(1, 4):
            levels = rng.integers(0, 256, (5, 4, 3)).astype(np.uint8)
            tiles = [((0, 0, 0), levels)]
            maps.update(0, None, tiles, version=version, seed=seed)
        return maps.running_means(0).tolist()

    assert means(1) == means(1) != means(2)


def test_running_means_of_single_voxels(divided):
    place = np.array([7])
    blocks, _ = divided.grid(0).find(place)
    for version, level in enumerate((200, 100), start=1):
        values = [(place, np.array([level], np.uint8))]
        divided.update(0, blocks, values, version=version, seed=0)
    assert divided.running_means(0)[7] == 150
    assert divided.errors(0)[7] == 100
