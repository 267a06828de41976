"""Draws of `ISample` against the distribution of Algorithm 1."""

import numpy as np
import pytest
from scipy import stats

from keras_isample.sampling import ISample
from keras_isample.sampling.error_maps import ErrorMap


def set_error_map(sampler, index, levels, version=1):
    """Makes `levels` (uint8) the error map of a case."""
    writer = sampler.error_maps.writer(index, version, (0, version))
    levels = np.asarray(levels, np.uint8)
    labels = sampler.cases[index].labels().astype(np.int64)
    writer.array[:] = levels
    histogram = np.zeros_like(writer.histogram)
    np.add.at(histogram, (labels.ravel(), levels.ravel()), 1)
    writer.array.flush()
    sampler.error_maps.replace(index, ErrorMap(writer.path, histogram, version))


def random_case(make_case, rng, shape, classes, name):
    label_map = rng.integers(0, classes, shape)
    return make_case(label_map, num_classes=classes, name=name)


def drawn_counts(sampler, steps):
    """How often each voxel of each case was drawn."""
    counts = [np.zeros(case.shape, np.int64) for case in sampler.cases]
    for case, center, _ in sampler.centers(steps).batch(10000):
        for index, count in enumerate(counts):
            np.add.at(count, tuple(center.numpy()[case == index].T), 1)
    return counts


def algorithm_1(sampler, maps, epsilon):
    """Probability of each voxel, written down from the papers."""
    weights = []
    for case, levels in zip(sampler.cases, maps, strict=True):
        labels = case.labels()
        present = np.unique(labels)
        weight = np.zeros(case.shape)
        for k in present:
            voxels = labels == k
            weight[voxels] = (
                1
                / len(sampler.cases)
                / len(present)
                / voxels.sum()
                * np.minimum(1, levels[voxels] / 255 + epsilon)
            )
        weights.append(weight)
    total = sum(w.sum() for w in weights)
    return [w / total for w in weights]


def p_value(counts, probabilities):
    observed = np.concatenate([c.ravel() for c in counts])
    expected = np.concatenate([p.ravel() for p in probabilities])
    assert observed[expected == 0].sum() == 0
    kept = expected > 0
    expected = expected[kept] * observed.sum()
    assert expected.min() > 5
    return stats.chisquare(observed[kept], expected).pvalue


@pytest.mark.parametrize("epsilon", [0, 0.01, 1])
def test_draws_follow_algorithm_1(make_case, epsilon):
    rng = np.random.default_rng(0)
    shapes = [(5, 4, 3), (4, 6, 4), (3, 3, 7)]
    cases = [
        random_case(make_case, rng, shape, 3 + (i == 1), f"case{i}")
        for i, shape in enumerate(shapes)
    ]
    cases = [_with_classes(case, 4) for case in cases]
    sampler = ISample(cases, batch_size=500, epsilon=epsilon, seed=3)
    maps = [
        np.where(rng.random(s) < 0.3, 0, rng.integers(40, 256, s))
        for s in shapes
    ]
    for index, levels in enumerate(maps):
        set_error_map(sampler, index, levels)
    sampler.use(range(3))
    counts = drawn_counts(sampler, 200 if epsilon != 0.01 else 1200)
    expected = algorithm_1(sampler, maps, epsilon)
    assert p_value(counts, expected) > 1e-3


def _with_classes(case, classes):
    from dataclasses import replace

    counts = case.counts + (0,) * (classes - len(case.counts))
    return replace(case, counts=counts)
