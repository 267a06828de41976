"""Values that stand for no data, around a scan or at single voxels.

Nothing in a file tells them from gray levels, so they are known by their
place among the values:

- the least or the largest value, if the gap between it and the next value is
  wider than all the others span: -32768 beside 0 to 1, 65535 beside 0 to 2000;
- the least or the largest value of the rest, if at least a twentieth of the
  voxels have it: the zeros around a head;
- the value of half of the eight corners or more, if at least a fifth of the
  voxels have it: the zeros around a head whose own mean is 0.

A channel of few levels, such as a mask, has no padding.
"""

from typing import NamedTuple

import numpy as np

from keras_isample.volumes.levels import count_levels
from keras_isample.volumes.levels import slabs

FEW_LEVELS = 16
"""A channel of fewer gray levels is taken as it is, and warned of."""

_MOST_APART = 4
_SHARE_OF_EXTREME = 0.05
_SHARE_OF_CORNERS = 0.2


class _Ends(NamedTuple):
    """The least and the largest value, and what comes next to them."""

    low: float
    next_low: float
    next_high: float
    high: float
    num_low: int
    num_high: int


def find_padding(array: np.ndarray) -> tuple[float, ...]:
    """Values of a channel that stand for no data.

    Args:
        array: All voxels of the channel, as they come from the file.

    Returns:
        Such values as float32 holds them, perhaps none.
    """
    if count_levels(array, FEW_LEVELS) < FEW_LEVELS:
        return ()
    found = []
    while len(found) < _MOST_APART:
        ends = _ends(array, found)
        if ends.next_low - ends.low > ends.high - ends.next_low:
            found.append(ends.low)
        elif ends.high - ends.next_high > ends.next_high - ends.low:
            found.append(ends.high)
        else:
            break
    else:
        ends = _ends(array, found)
    enough = _SHARE_OF_EXTREME * array.size
    found += [ends.low] * (ends.num_low >= enough)
    found += [ends.high] * (ends.num_high >= enough)
    return tuple(found + _value_of_corners(array, found))


def _ends(array, without):
    low, high = {}, {}
    for part in slabs(array):
        kept = np.ones(part.shape, bool)
        for value in without:
            kept &= part != np.float32(value)
        if not kept.any():
            continue
        least = part.min(where=kept, initial=np.inf)
        most = part.max(where=kept, initial=-np.inf)
        for table, value in ((low, least), (high, most)):
            number = int(np.count_nonzero(part == value))
            table[float(value)] = table.get(float(value), 0) + number
        # What comes next in this part may come next in all of the scan.
        second = part.min(where=kept & (part > least), initial=np.inf)
        low.setdefault(float(second), 0)
        second = part.max(where=kept & (part < most), initial=-np.inf)
        high.setdefault(float(second), 0)
    lows, highs = sorted(low), sorted(high)
    return _Ends(
        lows[0], lows[1], highs[-2], highs[-1], low[lows[0]], high[highs[-1]]
    )


def _value_of_corners(array, found):
    corners = array[np.ix_(*[(0, -1)] * array.ndim)].astype(np.float32)
    values, numbers = np.unique(corners, return_counts=True)
    value = values[numbers.argmax()]
    if 2 * numbers.max() < corners.size or value in found:
        return []
    number = sum(int(np.count_nonzero(p == value)) for p in slabs(array))
    return [float(value)] * (number >= _SHARE_OF_CORNERS * array.size)
