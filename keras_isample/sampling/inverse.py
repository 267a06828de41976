"""Draws from U(0, 1) turned into draws of indices, in double precision."""

import numpy as np


def below(limit, uniform):
    """Integers below `limit`, each with the same chance."""
    return np.minimum((uniform * limit).astype(np.int64), limit - 1)


def choose(weights, uniform):
    """Indices drawn in proportion to `weights`; never of one that is 0."""
    return search(np.cumsum(weights), uniform)


def search(ends, uniform):
    """Like `choose`, given the weights summed up to each index."""
    at = np.searchsorted(ends, uniform * ends[-1], side="right")
    # Rounding may lead behind the last weight above 0.
    return np.minimum(at, np.searchsorted(ends, ends[-1]))
