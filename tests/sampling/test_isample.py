"""`ISample`: the distribution of Algorithm 1, and patches that replay."""

import logging
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_isample.models import PlainGeometry
from keras_isample.sampling import ISample
from keras_isample.sampling import accepted_draw
from keras_isample.sampling import isample

SHAPES = ((4, 4, 2), (5, 3, 3), (2, 3, 7))


@pytest.fixture
def cases(make_case):
    """Three cases, even and odd; the second has a class less."""
    rng = np.random.default_rng(0)
    result = []
    for number, shape in enumerate(SHAPES):
        label_map = rng.integers(0, 3 - (number == 1), shape)
        result.append(make_case(label_map, num_classes=4, name=f"case{number}"))
    return result


@pytest.fixture
def levels():
    """Error maps of `cases`: a third of the voxels without error."""
    rng = np.random.default_rng(5)
    return [rng.choice([0, 60, 200], shape) for shape in SHAPES]


def draw(sampler, number):
    """`number` cases `(n,)` and centers `(n, 3)`."""
    steps = -(-number // sampler.batch_size)
    dataset = sampler.centers(steps).batch(1 << 20)
    case, center, _ = next(iter(dataset))
    return case.numpy(), center.numpy()


def counted(sampler, case, center):
    """How often each voxel of each case was drawn."""
    counts = [np.zeros(c.shape, np.int64) for c in sampler.cases]
    for index, count in enumerate(counts):
        np.add.at(count, tuple(center[case == index].T), 1)
    return counts


def algorithm_1(cases, levels, epsilon):
    """`1/J 1/K_j 1/|k in j| min(1, E_j(c) + epsilon)` of each voxel."""
    weights = []
    for case, errors in zip(cases, levels, strict=True):
        labels = case.labels().copy()
        labels[np.isin(labels, case.merged)] = 0
        present = np.unique(labels)
        weight = np.zeros(case.shape)
        for k in present:
            voxels = labels == k
            accepted = np.minimum(1, errors[voxels] / 255 + epsilon)
            weight[voxels] = accepted / voxels.sum() / len(present)
        weights.append(weight / len(cases))
    return weights


def even_classes(cases, weights):
    """The weights, scaled to the same sum in all classes of a case."""
    result = []
    for case, weight in zip(cases, weights, strict=True):
        labels = case.labels().copy()
        labels[np.isin(labels, case.merged)] = 0
        classes = [labels == k for k in np.unique(labels)]
        even = np.zeros(weight.shape)
        for voxels in classes:
            total = weight[voxels].sum() * len(classes)
            even[voxels] = weight[voxels] / total
        result.append(even)
    return result


def assert_distributed(counts, weights):
    """Chi-square test of counts against relative weights."""
    observed = np.concatenate([np.ravel(c) for c in counts])
    expected = np.concatenate([np.ravel(w) for w in weights])
    expected = expected / expected.sum() * observed.sum()
    assert observed[expected == 0].sum() == 0
    kept = expected > 0
    assert expected[kept].min() > 5
    assert stats.chisquare(observed[kept], expected[kept]).pvalue > 1e-3


def patches(sampler, steps=2):
    """All arrays of one epoch."""
    return [
        array.numpy()
        for (image, context), labels in sampler.dataset(steps)
        for array in (image, context, labels)
    ]


def same(first, second):
    return all(
        a.shape == b.shape and (a == b).all()
        for a, b in zip(first, second, strict=True)
    )


# The distribution.


@pytest.mark.parametrize("epsilon", [0, 0.01, 1])
def test_draws_follow_algorithm_1(cases, levels, set_error_map, epsilon):
    sampler = ISample(cases, batch_size=192, epsilon=epsilon, seed=3)
    for index, errors in enumerate(levels):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    counts = counted(sampler, *draw(sampler, 50_000))
    assert_distributed(counts, algorithm_1(cases, levels, epsilon))


def test_every_voxel_is_drawn_at_the_corners_and_borders_too(cases):
    sampler = ISample(cases, batch_size=192, epsilon=1, seed=1)
    for count in counted(sampler, *draw(sampler, 20_000)):
        assert count.min() > 0


def test_before_the_first_update_cases_classes_and_voxels_are_even(cases):
    sampler = ISample(cases, batch_size=192, epsilon=0, seed=2)
    ones = [np.full(shape, 255) for shape in SHAPES]
    counts = counted(sampler, *draw(sampler, 10_000))
    assert_distributed(counts, algorithm_1(cases, ones, 0))


def test_a_case_of_background_only_has_its_share(make_case):
    sampler = ISample(
        [
            make_case(np.zeros((3, 3, 2)), num_classes=2, name="empty"),
            make_case([[[0, 0, 1]]], name="other"),
        ],
        batch_size=192,
    )
    counts = counted(sampler, *draw(sampler, 8000))
    assert_distributed(counts, [np.full(18, 1 / 18), [0.25, 0.25, 0.5]])


def test_only_a_case_of_background_only(make_case):
    case = make_case(np.zeros((3, 2, 3)), num_classes=3)
    sampler = ISample([case], batch_size=192)
    assert_distributed(
        counted(sampler, *draw(sampler, 4000)), [np.ones((3, 2, 3))]
    )


def test_background_behind_long_runs_of_foreground_is_drawn(make_case):
    label_map = np.ones((6, 8, 8), np.uint8)
    label_map[0, 0, 0] = label_map[3, 0, :2] = label_map[-1, -1, -1] = 0
    sampler = ISample([make_case(label_map)], batch_size=192)
    counts = counted(sampler, *draw(sampler, 8000))[0]
    assert_distributed([counts[label_map == 0]], [np.ones(4)])


def test_uniform_accepts_everything(cases, levels, set_error_map):
    sampler = ISample(cases, sampling="uniform", epsilon=0, batch_size=192)
    for index, errors in enumerate(levels):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    ones = [np.full(shape, 255) for shape in SHAPES]
    counts = counted(sampler, *draw(sampler, 10_000))
    assert_distributed(counts, algorithm_1(cases, ones, 0))
    assert sampler.acceptance_rate() == 1


@pytest.mark.parametrize("epsilon", [0, 0.05])
@pytest.mark.slow
def test_the_graph_draws_exactly_where_rejection_found_nothing(
    cases, levels, set_error_map, monkeypatch, epsilon
):
    monkeypatch.setattr(accepted_draw, "ROUNDS", 0)
    sampler = ISample(cases, batch_size=192, epsilon=epsilon, seed=4)
    # The third case has no map yet and counts as 1.
    for index, errors in enumerate(levels[:2]):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    counts = counted(sampler, *draw(sampler, 9000))
    known = [*levels[:2], np.full(SHAPES[2], 255)]
    assert_distributed(counts, algorithm_1(cases, known, epsilon))


def test_one_voxel_with_a_small_error_is_always_found(make_case, set_error_map):
    shape = (30, 30, 30)
    sampler = ISample([make_case(np.zeros(shape), num_classes=2)], epsilon=0)
    levels = np.zeros(shape)
    levels[29, 0, 29] = 1
    set_error_map(sampler.error_maps, 0, levels)
    sampler.use([0])
    _, center = draw(sampler, 24)
    assert (center == (29, 0, 29)).all()


def test_no_error_and_no_slack_draws_classes_and_voxels_evenly(
    cases, set_error_map, monkeypatch
):
    monkeypatch.setattr(accepted_draw, "ROUNDS", 1)
    sampler = ISample(cases, batch_size=192, epsilon=0)
    zeros = [np.zeros(shape) for shape in SHAPES]
    for index, errors in enumerate(zeros):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    counts = counted(sampler, *draw(sampler, 5000))
    assert_distributed(counts, algorithm_1(cases, zeros, 1))


def test_a_class_without_error_is_skipped_and_reported(
    make_case, set_error_map, caplog
):
    label_map = np.arange(12).reshape(2, 2, 3) % 3
    sampler = ISample([make_case(label_map, name="lungs")], epsilon=0)
    set_error_map(sampler.error_maps, 0, np.where(label_map == 2, 0, 100))
    with caplog.at_level(logging.WARNING):
        sampler.use([0])
    assert "lungs" in caplog.text and "class 2" in caplog.text
    _, center = draw(sampler, 600)
    assert set(label_map[tuple(center.T)]) == {0, 1}


@pytest.mark.parametrize(
    "options, levels, expected",
    [
        ({}, (0, 0), "is drawn evenly."),
        ({}, (0, 9), "is skipped."),
        ({"sample_from": "all"}, (0, 9), "is drawn evenly."),
        ({"cases_per_batch": 1}, (0, 9), "is drawn evenly."),
        ({"cases_per_batch": 2}, (0, 0, 9), "in batches of such cases only."),
        ({"cases_per_batch": 2}, (0, 9, 9), "is skipped."),
    ],
    ids=[
        "all solved",
        "one solved",
        "own share",
        "own batch",
        "some batches",
        "no batch",
    ],
)
def test_what_becomes_of_a_solved_case_is_reported(
    make_case, set_error_map, caplog, options, levels, expected
):
    label_map = np.arange(8).reshape(2, 2, 2) % 2
    cases = [make_case(label_map, name=f"case{i}") for i in range(len(levels))]
    sampler = ISample(cases, batch_size=192, epsilon=0, **options)
    for index, level in enumerate(levels):
        set_error_map(sampler.error_maps, index, np.full((2, 2, 2), level))
    with caplog.at_level(logging.WARNING):
        sampler.use(range(len(levels)))
    assert "case0" in caplog.text and expected in caplog.text
    drawn = np.count_nonzero(draw(sampler, 20 * 192)[0] == 0)
    assert (drawn == 0) == (expected == "is skipped.")


def test_with_slack_nothing_is_reported(make_case, set_error_map, caplog):
    sampler = ISample([make_case([[[0, 1]]])], epsilon=0.01)
    set_error_map(sampler.error_maps, 0, np.zeros((1, 1, 2)))
    sampler.use([0])
    assert not caplog.text


# Classes that were not annotated and count as background.


@pytest.fixture
def merged_cases(cases):
    """Class 3 is nowhere; of class 2 a part was annotated, in the third."""
    sets = ((3,), (2, 3), (2,))
    return [
        replace(case, missing=merged, merged=merged)
        for case, merged in zip(cases, sets, strict=True)
    ]


@pytest.mark.parametrize("rounds", [32, 0])
def test_redrawing_centers_leaves_merged_classes_one_share(
    merged_cases, levels, set_error_map, monkeypatch, rounds
):
    monkeypatch.setattr(accepted_draw, "ROUNDS", rounds)
    sampler = ISample(
        merged_cases, batch_size=192, epsilon=0.1, redraw="center", seed=3
    )
    # The first case has no map yet.
    for index in (1, 2):
        set_error_map(sampler.error_maps, index, levels[index])
    sampler.use(range(3))
    known = [np.full(SHAPES[0], 255), *levels[1:]]
    counts = counted(sampler, *draw(sampler, 40_000 if rounds else 9000))
    expected = even_classes(merged_cases, algorithm_1(merged_cases, known, 0.1))
    assert_distributed(counts, expected)


@pytest.mark.parametrize("rounds", [32, 0])
def test_merged_classes_are_drawn_as_one_with_the_background(
    merged_cases, levels, set_error_map, monkeypatch, rounds
):
    monkeypatch.setattr(accepted_draw, "ROUNDS", rounds)
    sampler = ISample(merged_cases, batch_size=192, epsilon=0.1, seed=3)
    # The first case has no map yet and counts as 1.
    for index in (1, 2):
        set_error_map(sampler.error_maps, index, levels[index])
    sampler.use(range(3))
    known = [np.full(SHAPES[0], 255), *levels[1:]]
    counts = counted(sampler, *draw(sampler, 40_000 if rounds else 9000))
    expected = algorithm_1(merged_cases, known, 0.1)
    assert_distributed(counts, expected)
    rate = sum(weight.sum() for weight in expected)
    assert sampler.acceptance_rate() == pytest.approx(rate)


def test_half_a_merged_class_has_no_share_of_its_own(make_case):
    # 3 of 4 voxels are background, or what may be.
    case = make_case([[[0, 0, 1, 2]]])
    sampler = ISample([replace(case, merged=(2,))], batch_size=192)
    counts = counted(sampler, *draw(sampler, 8000))
    assert_distributed(counts, [[1 / 6, 1 / 6, 1 / 2, 1 / 6]])


def test_small_merged_background_is_drawn(make_case):
    label_map = np.full((2, 2, 9), 1)
    label_map[0, 0, :2], label_map[1, 1, 4:] = 0, 2
    case = replace(make_case(label_map), merged=(2,))
    sampler = ISample([case], batch_size=192)
    counts = counted(sampler, *draw(sampler, 8000))
    weights = np.where(label_map == 1, 1 / 29, 1 / 7)
    assert_distributed(counts, [weights])


def test_merging_a_class_without_voxels_draws_the_same(cases):
    merged = [replace(case, merged=(3,)) for case in cases]
    first, second = (
        draw(ISample(some, batch_size=16, seed=2), 64)
        for some in (cases, merged)
    )
    assert same(first, second)


# Which cases.


def test_only_the_cases_in_use_are_drawn(cases):
    sampler = ISample(cases, batch_size=192)
    sampler.use([2, 0])
    case, center = draw(sampler, 2000)
    assert sampler.used == [0, 2]
    assert set(case) == {0, 2}
    assert counted(sampler, case, center)[2].min() > 0


@pytest.mark.parametrize("wanted", [1, 2])
def test_a_batch_has_the_wanted_number_of_cases(cases, wanted):
    sampler = ISample(cases, batch_size=32, cases_per_batch=wanted)
    case, _ = draw(sampler, 3200)
    assert {len(set(batch)) for batch in case.reshape(-1, 32)} == {wanted}


@pytest.mark.parametrize("wanted", [1, 2])
def test_cases_of_batches_are_drawn_evenly(cases, wanted):
    sampler = ISample(cases, batch_size=16, cases_per_batch=wanted)
    case, _ = draw(sampler, 16 * 600)
    sets = [tuple(sorted(set(batch))) for batch in case.reshape(-1, 16)]
    sets = [s for s in sets if len(s) == wanted]
    observed = np.unique(sets, axis=0, return_counts=True)[1]
    assert len(observed) == 3
    assert stats.chisquare(observed).pvalue > 1e-3


@pytest.mark.parametrize("wanted", [1, 2])
def test_within_the_cases_of_a_batch_draws_follow_algorithm_1(
    cases, levels, set_error_map, wanted
):
    sampler = ISample(cases, batch_size=48, cases_per_batch=wanted, seed=5)
    for index, errors in enumerate(levels):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    case, center = draw(sampler, 48 * 1500)
    case, center = case.reshape(-1, 48), center.reshape(-1, 48, 3)
    group = [0, 2][:wanted]
    chosen = np.array([sorted(set(batch)) == group for batch in case])
    counts = counted(
        sampler, case[chosen].ravel(), center[chosen].reshape(-1, 3)
    )
    expected = algorithm_1(cases, levels, 0.01)
    for index in {0, 1, 2} - set(group):
        assert counts[index].sum() == 0
        expected[index][:] = 0
    assert_distributed(counts, expected)


def test_more_cases_per_batch_than_there_are_means_all(cases):
    sampler = ISample(cases, batch_size=192, cases_per_batch=9)
    assert set(draw(sampler, 192)[0]) == {0, 1, 2}


def test_from_all_one_refreshed_case_among_nine_keeps_its_share(
    make_case, set_error_map
):
    label_map = np.arange(8).reshape(2, 2, 2) % 2
    cases = [make_case(label_map, name=f"case{i}") for i in range(9)]
    sampler = ISample(cases, batch_size=192, sample_from="all", epsilon=0)
    set_error_map(sampler.error_maps, 4, np.full((2, 2, 2), 3))
    sampler.use(range(9))
    case, _ = draw(sampler, 4500)
    observed = np.bincount(case, minlength=9)
    assert stats.chisquare(observed).pvalue > 1e-3


def test_from_refreshed_a_case_is_drawn_in_proportion_to_its_error(
    make_case, set_error_map
):
    label_map = np.arange(8).reshape(2, 2, 2) % 2
    cases = [make_case(label_map, name=f"case{i}") for i in range(3)]
    sampler = ISample(cases, batch_size=192, epsilon=0)
    for index, level in enumerate((25, 50, 75)):
        set_error_map(sampler.error_maps, index, np.full((2, 2, 2), level))
    sampler.use(range(3))
    observed = np.bincount(draw(sampler, 4500)[0])
    expected = np.array([1, 2, 3]) / 6 * observed.sum()
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_from_all_the_class_and_center_follow_the_errors(
    cases, levels, set_error_map
):
    sampler = ISample(cases, batch_size=192, sample_from="all", seed=6)
    for index, errors in enumerate(levels):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    expected = algorithm_1(cases, levels, 0.01)
    expected = [weight / weight.sum() for weight in expected]
    counts = counted(sampler, *draw(sampler, 50_000))
    assert_distributed(counts, expected)


def test_from_all_a_case_without_any_error_keeps_its_share(
    make_case, set_error_map
):
    cases = [make_case([[[0, 1, 1]]], name=f"case{i}") for i in range(2)]
    sampler = ISample(cases, batch_size=192, sample_from="all", epsilon=0)
    set_error_map(sampler.error_maps, 0, np.zeros((1, 1, 3)))
    sampler.use(range(2))
    counts = counted(sampler, *draw(sampler, 4000))
    assert_distributed(counts, [[0.5, 0.25, 0.25]] * 2)


@pytest.mark.parametrize("sample_from", ["refreshed", "all"])
@pytest.mark.parametrize("epsilon", [0, 0.01, 1])
def test_redrawing_centers_leaves_classes_their_shares(
    cases, levels, set_error_map, sample_from, epsilon
):
    sampler = ISample(
        cases,
        batch_size=192,
        epsilon=epsilon,
        redraw="center",
        sample_from=sample_from,
        seed=4,
    )
    for index, errors in enumerate(levels):
        set_error_map(sampler.error_maps, index, errors)
    sampler.use(range(3))
    expected = even_classes(cases, algorithm_1(cases, levels, epsilon))
    assert_distributed(counted(sampler, *draw(sampler, 50_000)), expected)


@pytest.fixture
def partly_solved(make_case, set_error_map):
    """Of a function that makes the sampler of three cases.

    The first has no error in one of its classes, the last in none.
    """

    def make(**options):
        cases = [
            make_case([[[0, 0, 1, 1, 2]]], num_classes=3, name="a"),
            make_case([[[0, 1, 1, 1, 1]]], num_classes=3, name="b"),
            make_case([[[0, 0, 0, 1, 2]]], num_classes=3, name="c"),
        ]
        sampler = ISample(cases, batch_size=192, epsilon=0, **options)
        maps = ([0, 0, 10, 30, 50], [5, 40, 40, 0, 20], [0] * 5)
        for index, errors in enumerate(maps):
            set_error_map(sampler.error_maps, index, [[errors]])
        sampler.use(range(3))
        return sampler

    return make


def test_redrawing_centers_leaves_a_class_without_error_out(partly_solved):
    sampler = partly_solved(redraw="center")
    counts = counted(sampler, *draw(sampler, 4000))
    shares = [[0, 0, 0.125, 0.375, 0.5], [0.5, 0.2, 0.2, 0, 0.1], [0] * 5]
    assert_distributed(counts, [[share] for share in shares])


def test_redrawing_centers_from_all_cases_keeps_the_share_of_each(
    partly_solved,
):
    sampler = partly_solved(redraw="center", sample_from="all")
    counts = counted(sampler, *draw(sampler, 4000))
    shares = [
        [0, 0, 0.125, 0.375, 0.5],
        [0.5, 0.2, 0.2, 0, 0.1],
        # Drawn without its errors.
        [1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3],
    ]
    assert_distributed(counts, [[share] for share in shares])


@pytest.mark.parametrize("sample_from", ["refreshed", "all"])
def test_acceptance_rate_where_only_centers_are_redrawn(
    partly_solved, sample_from
):
    sampler = partly_solved(redraw="center", sample_from=sample_from)
    # 255 / 20 candidates for a patch of class 1 of the first case, ...
    candidates = [255 / 20, 255 / 50, 255 / 5, 255 / 25]
    rate = sampler.acceptance_rate()
    assert rate == pytest.approx(1 / np.mean(candidates))


@pytest.mark.parametrize(
    "options", [{"sample_from": "all"}, {"cases_per_batch": 1}]
)
def test_acceptance_rate_where_the_case_is_not_redrawn(partly_solved, options):
    sampler = partly_solved(**options)
    accepted = [(0 + 20 + 50) / 3 / 255, (5 + 25) / 2 / 255]
    rate = sampler.acceptance_rate()
    assert rate == pytest.approx(2 / (1 / accepted[0] + 1 / accepted[1]))


def test_nothing_is_accepted_where_no_error_is_left(make_case, set_error_map):
    case = make_case([[[0, 1]]])
    sampler = ISample([case], redraw="center", epsilon=0)
    set_error_map(sampler.error_maps, 0, [[[0, 0]]])
    sampler.use([0])
    assert sampler.acceptance_rate() == 0


def test_acceptance_rate_is_the_mean_over_cases_and_classes(
    make_case, set_error_map
):
    cases = [
        make_case([[[0, 0, 1]]], num_classes=3, name="a"),
        make_case([[[0, 0, 0]]], num_classes=3, name="b"),
    ]
    sampler = ISample(cases, epsilon=0.1)
    set_error_map(sampler.error_maps, 0, [[[0, 51, 102]]])
    sampler.use([0, 1])
    # Case a: (0.2 + 0.5) / 2; case b: 1.
    assert sampler.acceptance_rate() == pytest.approx((0.35 + 1) / 2)


# A patch is a function of (seed, epoch, index, error maps).


@pytest.fixture
def scans(make_case):
    """Two cases with intensities to tell patches apart."""
    rng = np.random.default_rng(7)
    shape = (12, 11, 10)
    return [
        make_case(
            rng.integers(0, 3, shape),
            rng.integers(-900, 900, shape),
            name=f"scan{i}",
        )
        for i in range(2)
    ]


def small(cases, **options):
    return ISample(cases, patch_size=4, batch_size=3, **options)


def test_an_epoch_has_as_many_batches_as_asked_for(scans):
    dataset = small(scans).dataset(5)
    assert int(dataset.cardinality()) == 5
    assert len(list(dataset)) == 5


def test_end_of_an_epoch_does_not_wait_for_automatic_tuning(scans):
    sampler = small(scans)
    for dataset in (sampler.dataset(2), sampler.centers(2)):
        assert dataset.options().autotune.enabled is False


def test_shapes_and_types_of_a_batch(scans):
    (image, context), labels = next(iter(small(scans).dataset(1)))
    assert image.shape == (3, 32, 32, 32, 1) and image.dtype == "float32"
    assert context.shape == (3, 31, 31, 31, 1) and context.dtype == "float32"
    assert labels.shape == (3, 4, 4, 4) and labels.dtype == "uint8"


def test_the_same_epoch_twice_is_bit_identical(scans):
    sampler = small(scans)
    assert same(patches(sampler), patches(sampler))


def test_a_new_sampler_draws_the_same(scans):
    assert same(patches(small(scans, seed=9)), patches(small(scans, seed=9)))


def test_another_seed_draws_other_patches(scans):
    assert not same(patches(small(scans)), patches(small(scans, seed=1)))


def test_another_epoch_draws_other_patches_and_comes_back(scans):
    sampler = small(scans)
    first = patches(sampler)
    sampler.epoch = 1
    assert not same(first, patches(sampler))
    sampler.epoch = 0
    assert same(first, patches(sampler))


def test_a_patch_does_not_depend_on_the_length_of_the_epoch(scans, monkeypatch):
    monkeypatch.setattr(isample, "BLOCK", 6)
    sampler = small(scans)
    assert same(patches(sampler, 1), patches(sampler, 3)[:3])


def test_batches_of_an_epoch_differ(scans):
    # 70 batches of 3 take two blocks.
    batches = [c.numpy() for _, c, _ in small(scans).centers(70).batch(3)]
    assert len({c.tobytes() for c in batches}) == 70


def test_a_restored_sampler_draws_the_same(scans, set_error_map, tmp_path):
    rng = np.random.default_rng(8)
    sampler = small(scans, folder=tmp_path / "maps", epsilon=0)
    set_error_map(sampler.error_maps, 1, rng.integers(0, 256, (12, 11, 10)))
    sampler.use([1])
    sampler.epoch = 3
    state, drawn = sampler.state(), patches(sampler)
    again = small(scans, folder=tmp_path / "maps", epsilon=0)
    again.restore(state)
    assert again.epoch == 3 and again.used == [1]
    assert same(patches(again), drawn)


def test_augmentation_is_drawn_anew_for_each_patch(scans, set_error_map):
    sampler = small(scans[:1], epsilon=0)
    one_voxel = np.zeros(scans[0].shape)
    one_voxel[5, 5, 5] = 255
    set_error_map(sampler.error_maps, 0, one_voxel)
    sampler.use([0])
    (image, _), _ = next(iter(sampler.dataset(1)))
    assert len({patch.tobytes() for patch in image.numpy()}) == 3


def test_without_augmentation_a_patch_is_cut_from_the_scan(scans):
    sampler = small(scans[:1], augment=False)
    center = draw(sampler, 3)[1]
    image = patches(sampler, 1)[0]
    stored = np.pad(scans[0].image()[0], 20, constant_values=-1000) / 218
    for patch, c in zip(image, center, strict=True):
        place = tuple(slice(a + 20 - 16, a + 20 + 16) for a in c)
        assert patch[..., 0] == pytest.approx(stored[place])


class CenterRecorder(keras.Model):
    """Keeps the label in the middle of each patch that `fit` trains on."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def train_step(self, data):
        labels = data[1].numpy()
        self.seen.append(labels[:, 2, 2, 2].tolist())
        return {"loss": 0.0}


def test_no_patch_drawn_before_an_update_is_trained_on_after_it(
    make_case, set_error_map
):
    label_map = np.arange(27 * 8).reshape(6, 6, 6) % 3
    case = make_case(label_map)
    sampler = small([case], augment=False, epsilon=0)

    def update(epoch, logs):
        only = np.where(label_map == epoch + 1, 200, 0)
        set_error_map(sampler.error_maps, 0, only, version=epoch + 1)
        sampler.use([0])
        sampler.epoch += 1

    model = CenterRecorder()
    model.compile(run_eagerly=True)
    callback = keras.callbacks.LambdaCallback(on_epoch_end=update)
    model.fit(sampler.dataset(8), epochs=3, callbacks=[callback], verbose=0)
    first, second, third = np.reshape(model.seen, (3, 24))
    assert set(first) == {0, 1, 2}
    assert set(second) == {1}
    assert set(third) == {2}


# Arguments.


@pytest.mark.parametrize(
    "options, name",
    [
        ({"epsilon": -0.1}, "epsilon"),
        ({"epsilon": 1.1}, "epsilon"),
        ({"batch_size": 0}, "batch_size"),
        ({"cases_per_batch": 0}, "cases_per_batch"),
        ({"sampling": "all"}, "sampling"),
        ({"sample_from": "isample"}, "sample_from"),
        ({"redraw": "class"}, "redraw"),
        ({"patch_size": 6}, "patch_size"),
    ],
)
def test_an_argument_out_of_range_is_named(cases, options, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        ISample(cases, **options)


def test_no_case_is_an_error():
    with pytest.raises(ValueError, match="`cohort`"):
        ISample([])


def test_cases_of_several_channels_make_patches_of_several(make_case):
    image = np.zeros((2, 4, 4, 4))
    sampler = small([make_case(np.ones((4, 4, 4)), image)])
    (image, context), _ = next(iter(sampler.dataset(1)))
    assert image.shape[-1] == context.shape[-1] == 2


def test_class_counts_behind_the_last_present_class_do_not_matter(make_case):
    case = make_case([[[0, 1]]])
    wider = replace(case, counts=(*case.counts, 0, 0))
    narrow, wide = (ISample([c], seed=1) for c in (case, wider))
    assert (draw(narrow, 50)[1] == draw(wide, 50)[1]).all()


def test_a_plain_geometry_makes_batches_of_one_input(make_case):
    rng = np.random.default_rng(0)
    case = make_case(rng.integers(0, 2, (9, 8, 7)))
    sampler = ISample([case], geometry=PlainGeometry((1, 6, 4)), batch_size=5)
    image, labels = next(iter(sampler.dataset(2)))
    assert image.shape == (5, 1, 6, 4, 1) and image.dtype == "float32"
    assert labels.shape == (5, 1, 6, 4) and labels.dtype == "uint8"


def test_patches_do_not_depend_on_the_number_of_threads(scans):
    drawn = []
    for threads in (1, 4):
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        dataset = small(scans).dataset(6).with_options(options)
        drawn.append(
            [
                array.numpy()
                for (image, context), labels in dataset
                for array in (image, context, labels)
            ]
        )
    assert same(*drawn)


def test_cohort_is_trained_on_as_its_partial_says(monkeypatch, caplog):
    seen = []
    monkeypatch.setattr(isample, "training_cases", lambda c: (c, ("a note",)))
    monkeypatch.setattr(
        isample, "prepare_cohort", lambda c, **_: seen.append(c) or []
    )
    monkeypatch.setattr(
        isample, "check_classes", lambda c, cases: seen.append((c, cases))
    )
    assert isample._prepare("cohort", 3) == []
    assert seen == ["cohort", ("cohort", [])]
    assert "a note" in caplog.text
