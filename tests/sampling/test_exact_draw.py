"""The last resort: a center from the weights themselves."""

import numpy as np
import pytest
from scipy import stats

from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.exact_draw import _choose
from keras_isample.sampling.exact_draw import _nth
from keras_isample.sampling.exact_draw import draw_exactly


def shares(maps, epsilon):
    """Relative weight of each class of each case."""
    counts = np.array([case.counts for case in maps.cases])
    present = (counts > 0).sum(axis=1, keepdims=True)
    weights = [maps.weights(i, epsilon) for i in range(len(counts))]
    return np.array(weights) / present


def draws(maps, epsilon, number, rows=None, seed=1):
    """How often each voxel of each case is drawn."""
    counts = [np.zeros(case.size, np.int64) for case in maps.cases]
    rows = np.arange(len(counts)) if rows is None else np.array(rows)
    share = shares(maps, epsilon)
    for uniform in np.random.default_rng(seed).random((number, 3)):
        row, position = draw_exactly(
            rows,
            uniform,
            share,
            epsilon,
            case_of=lambda row: maps.cases[row],
            map_of=lambda row: maps[row],
        )
        counts[row][position] += 1
    return counts


def voxel_weights(case, levels, epsilon):
    """Algorithm 1 within one case, times the number of cases."""
    labels = case.labels().ravel()
    weight = np.zeros(case.size)
    for k in np.unique(labels):
        same = labels == k
        accepted = np.minimum(1, np.ravel(levels)[same] / 255 + epsilon)
        weight[same] = accepted / same.sum() / len(np.unique(labels))
    return weight


def assert_distributed(counts, weights):
    observed = np.concatenate(counts)
    expected = np.concatenate(weights)
    expected = expected / expected.sum() * observed.sum()
    assert observed[expected == 0].sum() == 0
    kept = expected > 0
    assert stats.chisquare(observed[kept], expected[kept]).pvalue > 1e-3


@pytest.mark.parametrize("epsilon", [0, 0.05, 1])
def test_draws_follow_the_weights(make_case, set_error_map, epsilon):
    rng = np.random.default_rng(4)
    shapes = [(3, 2, 3), (2, 2, 4)]
    cases = [
        make_case(rng.integers(0, 3, shape), num_classes=4, name=f"case{i}")
        for i, shape in enumerate(shapes)
    ]
    maps = ErrorMaps(cases)
    levels = [rng.choice([0, 60, 60, 200], shape) for shape in shapes]
    for index, values in enumerate(levels):
        set_error_map(maps, index, values)
    weights = [
        voxel_weights(case, values, epsilon)
        for case, values in zip(cases, levels, strict=True)
    ]
    assert_distributed(draws(maps, epsilon, 6000), weights)


def test_a_case_without_map_counts_as_an_error_of_1(make_case, set_error_map):
    cases = [
        make_case([[[0, 0, 1]]], name="known"),
        make_case([[[0, 1, 1]]], name="unknown"),
    ]
    maps = ErrorMaps(cases)
    set_error_map(maps, 0, [[[0, 51, 102]]])
    weights = [
        voxel_weights(cases[0], [0, 51, 102], 0),
        voxel_weights(cases[1], [255] * 3, 0),
    ]
    assert_distributed(draws(maps, 0, 4000), weights)


def test_only_the_given_cases_are_drawn(make_case):
    cases = [make_case([[[0, 1]]], name=f"case{i}") for i in range(3)]
    counts = draws(ErrorMaps(cases), 0, 200, rows=[0, 2])
    assert counts[1].sum() == 0 and counts[0].min() > 0 and counts[2].min() > 0


def test_without_any_weight_classes_and_voxels_are_even(
    make_case, set_error_map
):
    case = make_case([[[0, 0, 0, 0, 2]]], num_classes=3)
    maps = ErrorMaps([case])
    set_error_map(maps, 0, np.zeros((1, 1, 5)))
    expected = np.array([1, 1, 1, 1, 4]) / 8
    assert_distributed(draws(maps, 0, 2000), [expected])


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_a_weight_of_0_is_never_chosen(uniform):
    assert _choose(np.array([0, 0.3, 0, 0.3, 0]), uniform) in (1, 3)


def test_choice_is_in_proportion():
    weights = np.array([1, 0, 3])
    chosen = [_choose(weights, u) for u in (0.0, 0.24, 0.26, 0.99)]
    assert chosen == [0, 0, 2, 2]


def test_voxels_are_counted_through_all_slabs():
    labels = np.array([1, 0, 1, 1, 0, 0, 1])
    found = [
        _nth(labels, lambda part, _: part == 1, rank, slab=2)
        for rank in range(4)
    ]
    assert found == [0, 2, 3, 6]
