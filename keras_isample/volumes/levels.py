"""The gray levels of a scan: how many there are, and percentiles of them.

Nothing is sorted. The 32 bits of a float32, read as a whole number, lie in
the order of the values once those of negative values are turned around. A
first histogram counts the upper 16 bits of all voxels, a second one the lower
16 bits of those in the bins that were asked for: 65,536 bins each, and the
result is exact. A graph finds the same with two bincounts.
"""

from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

_BINS = 1 << 16
_SLAB_VOXELS = 1 << 20
"""Voxels that are looked at together: bounds the temporary arrays."""


def slabs(array: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of an array as float32, cut along its slowest axis in memory."""
    axis = int(np.argmax(np.abs(array.strides)))
    array = np.moveaxis(array, axis, 0)
    thickness = max(1, _SLAB_VOXELS // max(1, array[0].size))
    for start in range(0, len(array), thickness):
        yield array[start : start + thickness].astype(np.float32)


def count_levels(array: np.ndarray, most: int) -> int:
    """Number of distinct values, or `most` if there are as many or more."""
    found = np.empty(0, np.float32)
    for part in slabs(array):
        found = np.union1d(found, part)
        if len(found) >= most:
            return most
    return len(found)


def percentiles(
    array: np.ndarray, percents: Sequence[float], without: Sequence[float] = ()
) -> tuple[float, ...]:
    """Percentiles as `numpy.percentile` interpolates them.

    Args:
        array: Any numbers; they are taken as float32.
        percents: From 0 to 100.
        without: Values that do not count.

    Raises:
        ValueError: If no value is left.
    """
    upper = np.zeros(_BINS, np.int64)
    for part in slabs(array):
        keys = _keys(part, without) >> 16
        upper += np.bincount(keys, minlength=_BINS)
    below = np.cumsum(upper)
    number = int(below[-1])
    if not number:
        raise ValueError(
            "Argument `array` must hold a value that is not in `without`. "
            f"Received: {array.size} values, without={without}."
        )
    places = [percent / 100 * (number - 1) for percent in percents]
    ranks = {min(int(p) + k, number - 1) for p in places for k in (0, 1)}
    ranks = sorted(ranks)
    bins = np.searchsorted(below, ranks, side="right")
    lower = {index: np.zeros(_BINS, np.int64) for index in bins.tolist()}
    for part in slabs(array):
        keys = _keys(part, without)
        for index, counts in lower.items():
            inside = keys[keys >> 16 == index] & 0xFFFF
            counts += np.bincount(inside, minlength=_BINS)
    values = {}
    for rank, index in zip(ranks, bins.tolist(), strict=True):
        before = int(below[index] - upper[index])
        last = np.searchsorted(
            np.cumsum(lower[index]), rank - before, side="right"
        )
        values[rank] = _value((index << 16) + int(last))
    return tuple(
        values[int(place)]
        + (place - int(place))
        * (values[min(int(place) + 1, number - 1)] - values[int(place)])
        for place in places
    )


def _keys(part, without):
    """Whole numbers in the order of the values, those of `without` left out."""
    # The sum makes -0 a 0.
    values = part.ravel(order="K") + np.float32(0)
    for value in without:
        values = values[values != np.float32(value)]
    bits = values.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _value(key):
    """The value of which `_keys` made a key."""
    bits = key ^ (1 << 31) if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array(bits, np.uint32).view(np.float32))
