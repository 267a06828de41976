"""Whole slices: where their middle is, and in which order they are shown."""

import numpy as np

_STREAM = 91
"""Sets these draws apart from others with the same seed."""


class SliceDraw:
    """Slices of prepared cases, each shown once before any is shown again.

    Every epoch begins with a new order.

    Args:
        cases: `PreparedCase`s.
        axis: Axis that slices lie across.
        seed: Seed of the orders.
    """

    def __init__(self, cases, axis, seed):
        self._shapes = np.array([case.shape for case in cases])
        self._axis = axis
        self._seed = seed
        self._ends = np.cumsum(self._shapes[:, axis])

    def draw(self, epoch, first, number):
        """Some slices of an epoch.

        Args:
            epoch: Number of the epoch.
            first: How many slices of the epoch come before.
            number: How many are drawn.

        Returns:
            `(case, center)`: int64 `(number,)`, and `(number, 3)`, the middle
            of each slice.
        """
        total = int(self._ends[-1])
        wanted = np.arange(first, first + number)
        order = {
            turn: np.random.default_rng(
                (self._seed, epoch, turn, _STREAM)
            ).permutation(total)
            for turn in np.unique(wanted // total).tolist()
        }
        chosen = np.array([order[i // total][i % total] for i in wanted])
        case = np.searchsorted(self._ends, chosen, side="right")
        place = chosen - (self._ends - self._shapes[:, self._axis])[case]
        center = self._shapes[case] // 2
        center[:, self._axis] = place
        return case, center

    def middles(self, case, center):
        """Centers moved to the middle of their slices.

        Args:
            case: Indices of cases, `(n,)`.
            center: Voxels, `(n, 3)`.
        """
        result = self._shapes[case] // 2
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
