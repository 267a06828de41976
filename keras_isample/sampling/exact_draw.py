"""A center drawn from the weights themselves, where rejection found none.

Costs a pass over one error map, and is therefore only the last resort of
`ISample`: it bounds the time at any setting.
"""

import numpy as np

from keras_isample.sampling.acceptance import LEVELS
from keras_isample.sampling.acceptance import acceptance_probability


def draw_exactly(rows, uniform, share, epsilon, *, case_of, map_of):
    """Draws one center with probability `share * min(1, E + epsilon)`.

    Args:
        rows: Cases to draw from, int array.
        uniform: Three draws from U(0, 1).
        share: float64 `(all rows, classes)`: relative weight of each class of
            each case, already times the mean of `min(1, E + epsilon)`.
        epsilon: Slack of the acceptance.
        case_of: Function from a row to its `PreparedCase`.
        map_of: Function from a row to its `ErrorMap` or `None`.

    Returns:
        `(row, flat position)`. If every weight is 0, all classes present and
        all their voxels count alike.
    """
    weights = share[rows]
    even = weights.sum() <= 0
    if even:
        counts = np.array([case_of(row).counts for row in rows])
        weights = (counts > 0) / (counts > 0).sum(axis=1, keepdims=True)
    at = _choose(weights.ravel(), uniform[0])
    row, label = rows[at // weights.shape[1]], at % weights.shape[1]
    case, error_map = case_of(row), map_of(row)
    if even or error_map is None:
        histogram = None
        level_weights = None
    else:
        histogram = error_map.histogram[label]
        level_weights = acceptance_probability(
            np.arange(LEVELS), epsilon, np.minimum
        )
    labels = case.labels().reshape(-1)
    if histogram is None:
        rank = min(int(uniform[1] * case.counts[label]), case.counts[label] - 1)
        return row, _nth(labels, lambda part, _: part == label, rank)
    level = _choose(histogram * level_weights, uniform[1])
    rank = min(int(uniform[2] * histogram[level]), int(histogram[level]) - 1)
    errors = np.load(error_map.path, mmap_mode="r").reshape(-1)
    return row, _nth(
        labels,
        lambda part, place: (part == label) & (errors[place] == level),
        rank,
    )


def _choose(weights, uniform):
    """Index of a weight, drawn in proportion; never one that is 0."""
    ends = np.cumsum(weights, dtype=np.float64)
    at = int(np.searchsorted(ends, uniform * ends[-1], side="right"))
    return min(at, int(np.flatnonzero(weights)[-1]))


def _nth(labels, chosen, rank, slab=1 << 22):
    """Position of the voxel of the given rank among the chosen ones."""
    for first in range(0, len(labels), slab):
        place = slice(first, min(first + slab, len(labels)))
        hits = np.flatnonzero(chosen(labels[place], place))
        if rank < len(hits):
            return first + int(hits[rank])
        rank -= len(hits)
    raise ValueError("The label map has fewer voxels than were counted.")
