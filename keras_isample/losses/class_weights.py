"""Class weights from the number of voxels of each class.

References: Eigen and Fergus, Predicting depth, surface normals and semantic
labels, 2015 (median frequency balancing); Cui et al., Class-balanced loss
based on effective number of samples, 2019.
"""

import numpy as np


def median_frequency_weights(counts):
    """Median of the classes' frequencies divided by each frequency.

    The frequency of a class is its number of voxels divided by the number of
    all voxels of the cases where it occurs. A class that occurs nowhere has
    weight 0 and does not count in the median.

    Args:
        counts: Voxels of each class in each case, background first, shape
            `(cases, num_classes)`. Ignored voxels are not counted; where a
            class was not annotated, leave the case out.

    Returns:
        Numpy array of float64, shape `(num_classes,)`.

    Raises:
        ValueError: If `counts` has another shape, a negative number or no
            voxel.

    Example:
    >>> median_frequency_weights([[90, 10, 0], [60, 20, 20]])
    array([0.26666667, 1.33333333, 1.        ])

    Of a cohort, as `fit` does:

    >>> cases = ki.data.prepare_cohort(train)
    >>> median_frequency_weights([case.trained_counts for case in cases])
    """
    counts = _check(counts)
    if counts.ndim != 2:
        raise ValueError(
            "Argument `counts` must have one row for each case, shape "
            f"(cases, num_classes). Received: shape {counts.shape}."
        )
    voxels = counts.sum(axis=1, keepdims=True)
    seen = ((counts > 0) * voxels).sum(axis=0)
    there = seen > 0
    frequencies = counts.sum(axis=0)[there] / seen[there]
    weights = np.zeros(counts.shape[1])
    weights[there] = np.median(frequencies) / frequencies
    return weights


def effective_number_weights(counts, beta=0.999999):
    """(1 - beta) / (1 - beta^n) of each class, scaled to a mean of 1.

    n is the number of voxels of a class. 1 / (1 - beta) is the number of
    different voxels a class is thought to have at most: classes with many
    more than that have all the same weight, classes with far fewer a weight
    like 1 / n. Cui et al. count images and use 0.9 to 0.9999, which would weigh
    all classes of 1e5 voxels or more alike; hence the default, a million.

    The mean is over the classes that occur, so that their weights sum to
    their number, as in the paper; a class that occurs nowhere has weight 0.

    Args:
        counts: Voxels of each class, background first, shape
            `(num_classes,)`, or `(cases, num_classes)`, which is summed.
        beta: At least 0 (all weights 1) and below 1 (for inverse frequency,
            come close to 1).

    Returns:
        Numpy array of float64, shape `(num_classes,)`.

    Raises:
        ValueError: If `beta` is out of range, or `counts` has another shape,
            a negative number or no voxel.
    """
    if not 0 <= beta < 1:
        raise ValueError(
            "Argument `beta` must be at least 0 and below 1. "
            f"Received: beta={beta}."
        )
    counts = _check(counts)
    counts = counts.sum(axis=0) if counts.ndim == 2 else counts
    there = counts > 0
    weights = np.zeros(len(counts))
    if beta == 0:
        weights[there] = 1
        return weights
    # 1 - beta^n without loss of digits where beta^n is close to 1. The factor
    # 1 - beta falls out when scaled.
    weights[there] = -1 / np.expm1(counts[there] * np.log(beta))
    return weights / weights[there].mean()


def _check(counts):
    counts = np.asarray(counts, float)
    good = counts.ndim in (1, 2) and np.isfinite(counts).all()
    if not good or (counts < 0).any() or not counts.any():
        raise ValueError(
            "Argument `counts` must hold numbers of voxels, shape (cases, "
            f"num_classes), not all 0. Received: counts={counts}."
        )
    return counts
