"""Whole slices: where their patches lie, and in which order they are shown.

A patch begins with the first row and column of its slice, as in prediction, and
ends behind it where the slice is smaller.
"""

import numpy as np

_STREAM = 91
"""Sets these draws apart from others with the same seed."""


class SliceDraw:
    """Slices of prepared cases, each shown once before any is shown again.

    Args:
        cases: `PreparedCase`s.
        axis: Axis that slices lie across.
        size: Voxels of the patches along the three axes, 1 along `axis`.
        seed: Seed of the orders.
    """

    def __init__(self, cases, axis, size, seed):
        self._middle = np.array(size) // 2
        self._shapes = np.array([case.shape for case in cases])
        self._axis = axis
        self._seed = seed
        self._ends = np.cumsum(self._shapes[:, axis])

    def draw(self, first, number):
        """Some slices of the endless sequence.

        Args:
            first: How many slices come before.
            number: How many are drawn.

        Returns:
            `(case, center)`: int64 `(number,)`, and `(number, 3)`, the
            centers of patches that show whole slices.
        """
        total = int(self._ends[-1])
        wanted = np.arange(first, first + number)
        order = {
            turn: np.random.default_rng(
                (self._seed, turn, _STREAM)
            ).permutation(total)
            for turn in np.unique(wanted // total).tolist()
        }
        chosen = np.array([order[i // total][i % total] for i in wanted])
        case = np.searchsorted(self._ends, chosen, side="right")
        place = chosen - (self._ends - self._shapes[:, self._axis])[case]
        center = np.tile(self._middle, (number, 1))
        center[:, self._axis] = place
        return case, center

    def whole(self, center):
        """Centers of patches that show the whole slices of some voxels.

        Args:
            center: Voxels, `(n, 3)`.
        """
        result = np.tile(self._middle, (len(center), 1))
        result[:, self._axis] = center[:, self._axis]
        return result


def largest_slice(cases, axis):
    """Sides of the smallest slice that every slice fits into.

    Args:
        cases: `PreparedCase`s.
        axis: Axis that slices lie across.

    Returns:
        Two integers.
    """
    sides = np.max([case.shape for case in cases], axis=0).tolist()
    del sides[axis]
    return tuple(sides)
