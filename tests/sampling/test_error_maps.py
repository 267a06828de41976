"""Error maps: rounding, histograms, weights, files."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.error_maps import round_errors


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


def test_writer_stores_one_minus_probability_of_the_true_class(
    tmp_path, two_cases
):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    rng = np.random.default_rng(1)
    p = one_hot_probabilities(rng, (5, 4, 3), 3)
    writer = maps.writer(0, 1, (0, 1))
    writer.write((0, 0, 0), p[:4])
    writer.write((4, 0, 0), p[4:])
    stored = np.load(writer.finish().path)
    labels = two_cases[0].labels()
    true = np.take_along_axis(p, labels[..., None].astype(int), -1)[..., 0]
    assert np.abs(stored / 255 - (1 - true)).max() < 1 / 255


def test_histogram_counts_the_levels_of_each_true_class(tmp_path, two_cases):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    p = one_hot_probabilities(np.random.default_rng(2), (5, 4, 3), 3)
    writer = maps.writer(0, 1, (0, 1))
    writer.write((0, 0, 0), p[:, :2])
    writer.write((0, 2, 0), p[:, 2:])
    error_map = writer.finish()
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
    writer = maps.writer(0, 1, (0, 1))
    writer.write((0, 0, 0), np.array(p, np.float64)[None, None, :2] / 255)
    writer.write((0, 0, 2), np.array(p, np.float64)[None, None, 2:] / 255)
    error_map = writer.finish()
    stored = np.load(error_map.path)
    # Class 1 alone is itself: 255 - 51. Of 2 and 3 parts were annotated.
    assert stored.tolist() == [[[102, 204, 204, 0]]]
    levels = [np.flatnonzero(row).tolist() for row in error_map.histogram]
    assert levels == [[0, 102, 204], [204], [], []]
    maps.replace(0, error_map)
    assert maps.weights(0, 0) == pytest.approx([1.2 / 3, 0.8, 0, 0])
    assert maps.mean_error(0) == pytest.approx(0.5)


def test_amended_map_takes_merged_classes_as_background(make_case):
    case = make_case([[[0, 0, 1, 1, 2]]])
    maps = ErrorMaps([replace(case, merged=(2,))])
    errors = np.array([51, 204]) / 255
    error_map = maps.amended(0, 1, (0, 1), np.array([0, 3]), errors)
    # What was not shown has the mean of its class, 2 that of the background.
    assert np.load(error_map.path).tolist() == [[[51, 51, 204, 204, 51]]]
    assert error_map.histogram[0, 51] == 3 and not error_map.histogram[2].any()


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


def test_map_made_elsewhere_is_moved_in(two_cases, tmp_path):
    maps = ErrorMaps(two_cases, tmp_path / "maps")
    elsewhere = ErrorMaps(two_cases, tmp_path / "other")
    writer = elsewhere.writer(1, 3, (0, 3))
    writer.write((0, 0, 0), np.full((4, 4, 4, 3), 0.4, np.float32))
    error_map = writer.finish()
    maps.adopt(1, error_map)
    assert not error_map.path.exists()
    assert [p.name for p in maps.folder.iterdir()] == ["00001-000003.npy"]
    assert maps[1].version == 3
    assert maps.mean_error(1) == pytest.approx(0.6, abs=1 / 255)
    assert maps.errors(1).mean() / 255 == pytest.approx(0.6, abs=1 / 255)
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
    left = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert left == ["00000-000002.npy", "00001-000001.npy"]


def test_maps_that_are_not_kept_count_as_1(two_cases, set_error_map):
    maps = ErrorMaps(two_cases)
    for index, case in enumerate(two_cases):
        set_error_map(maps, index, np.zeros(case.shape))
    maps.keep([1])
    assert maps.mean_error(0) == 1
    assert maps.mean_error(1) == 0
    assert maps[0] is None


def test_files_of_others_are_left_alone(make_case, tmp_path):
    maps = ErrorMaps([make_case(np.ones((3, 4, 5)))], tmp_path)
    (tmp_path / "mine.npy").write_bytes(b"")
    (tmp_path / "00000-000007.npy").write_bytes(b"")
    maps.remove_unused()
    assert (tmp_path / "mine.npy").exists()
    assert not (tmp_path / "00000-000007.npy").exists()
