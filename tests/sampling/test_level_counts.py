"""Levels of an error map, counted class by class."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.sampling import level_counts
from keras_isample.sampling.level_counts import count_levels


@pytest.mark.parametrize("part", [2, 6, 1 << 20])
@pytest.mark.parametrize("shape", [(3, 5, 7), (4, 5, 6), (1, 1, 1)])
@pytest.mark.parametrize("merged", [(), (1,), (2, 3)])
def test_every_voxel_is_counted_once(
    monkeypatch, make_case, part, shape, merged
):
    monkeypatch.setattr(level_counts, "_PART", part)
    rng = np.random.default_rng(0)
    labels = rng.choice(4, shape, p=[0.6, 0.3, 0.1, 0]).astype(np.uint8)
    stored = rng.integers(0, 256, shape, dtype=np.uint8)
    stored.flat[-1] = 255
    case = replace(make_case(labels, num_classes=4), merged=merged)
    counts = count_levels(case, stored)
    assert counts.dtype == np.int64
    trained = case.trained_labels(labels)
    for label in range(4):
        of_class = np.bincount(stored[trained == label], minlength=256)
        np.testing.assert_array_equal(counts[label], of_class)
    np.testing.assert_array_equal(count_levels(case, stored.ravel()), counts)
