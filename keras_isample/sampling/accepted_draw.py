"""What the loop of Algorithm 1 accepts: case, class and center.

How often each class of each case is accepted is known from the histograms of
the error maps. So case and class of a patch are drawn at once as the loop
would leave them, and only the center by rejection, in bulk. Classes that accept
almost nothing are drawn from their chances themselves (`exact_draw`).
"""

import logging
from typing import NamedTuple

import numpy as np

from keras_isample.sampling.acceptance import accept
from keras_isample.sampling.centers import ClassVoxels
from keras_isample.sampling.exact_draw import ExactDraw
from keras_isample.sampling.inverse import below
from keras_isample.sampling.inverse import choose

log = logging.getLogger(__name__)

ROUNDS = 32
"""Rounds of rejection; what is still open is drawn from the chances."""

RARE = 1 / 2000
"""Classes that accept less are drawn from the chances at once."""


class _Use(NamedTuple):
    """What patches are drawn from, between two updates of the error maps.

    `cases` are indices. `accepted` (mean chance of acceptance) and `even` (the
    same share for every class that has voxels) have one row for each case and
    one column per class. `has_map`: whether the case has an error map.
    """

    cases: np.ndarray
    accepted: np.ndarray
    even: np.ndarray
    has_map: np.ndarray


class Picks(NamedTuple):
    """Cases and classes of patches whose centers are still to be drawn.

    int64 `(n,)` each: index of the case, its row among those in use, the class,
    and 1 where no error is left in any class that may be drawn.
    """

    case: np.ndarray
    row: np.ndarray
    label: np.ndarray
    empty: np.ndarray


class AcceptedDraw:
    """Draws patches' cases, classes and centers as Algorithm 1 accepts them.

    Args:
        mapped: `MappedCases`.
        error_maps: Their `ErrorMaps`.
        epsilon: Slack of the acceptance; 1 accepts everything.
        by_error: Whether the error maps count; if not, all are accepted.
        batch_size: Patches per batch.
        cases_per_batch: Number of cases in a batch; all if `None`.
        case_first: Whether every case has the same share, so that the case is
            not drawn again after a rejection.
        class_first: Whether case and class are not drawn again, so that all
            classes of a case have the same share. Those without any error
            leave theirs to the case's others; a case without any leaves its
            own to those it shares a batch with, unless `case_first`.
    """

    def __init__(
        self,
        mapped,
        error_maps,
        epsilon,
        *,
        by_error,
        batch_size,
        cases_per_batch,
        case_first,
        class_first,
    ):
        self.cases = mapped.cases
        self._error_maps = error_maps
        self._epsilon = epsilon
        self._by_error = by_error
        self._batch_size = batch_size
        self._cases_per_batch = cases_per_batch
        self._case_first = case_first
        self._class_first = class_first
        self._voxels = ClassVoxels(mapped)
        self._exact = ExactDraw(mapped, self._voxels, error_maps, epsilon)
        self.use(range(len(self.cases)))

    @property
    def used(self):
        """Indices of the cases that are drawn from."""
        return self._use.cases.tolist()

    def use(self, indices):
        """Draws from the given cases from now on, by their newest error maps.

        Args:
            indices: Indices of the cases.
        """
        indices = sorted(indices)
        maps = self._error_maps
        even = np.array([self.cases[i].trained_counts for i in indices]) > 0
        accepted, has_map = even.astype(np.float64), np.zeros(len(even), bool)
        if self._by_error:
            accepted = np.array(
                [maps.weights(i, self._epsilon) for i in indices]
            )
            has_map = np.array([maps[i] is not None for i in indices])
        self._use = _Use(
            np.array(indices, np.int64),
            accepted,
            even / even.sum(axis=1, keepdims=True),
            has_map,
        )
        self._report_empty()

    def draw_cases_first(self, case_first):
        """Sets whether every case has the same share; see the arguments."""
        self._case_first = case_first
        self._report_empty()

    def class_shares(self):
        """Expected share of each class among the centers of each case.

        Returns:
            Dictionary from the index of a case in use to float64
            `(classes,)`, whose sum is 1; where no error is left in a case,
            its classes have even shares.
        """
        use, shares = self._use, self._shares()
        total = shares.sum(axis=1, keepdims=True)
        shares = np.where(
            total > 0, shares / np.where(total, total, 1), use.even
        )
        return dict(zip(use.cases.tolist(), shares, strict=True))

    def acceptance_rate(self):
        """Expected share of accepted candidates, from the error maps in use.

        What has a share of its own takes 1 / accepted candidates for a patch.
        Cases without any error, whose centers nothing rejects, do not count.
        Batches of several, but not all cases count as if of all.
        """
        use = self._use
        if self._class_first:
            return _harmonic_mean(use.accepted, self._shares())
        rates = (use.accepted * use.even).sum(axis=1)
        if self._case_first or self._cases_per_batch == 1:
            return _harmonic_mean(rates, np.ones(len(rates)))
        return float(rates.mean())

    def picks(self, rng, batches):
        """Cases and classes of some batches, as `Picks`.

        What would be drawn again after a rejection is drawn in proportion to
        its acceptance: cases and classes together, or with `case_first` the
        classes of a case that is drawn before. With `class_first` both are
        drawn evenly.
        """
        use = self._use
        share = self._shares()
        rows = self._draw_rows(rng, batches)
        uniform = rng.random(
            (len(rows), batches * self._batch_size // len(rows))
        )
        result = []
        for allowed, draws in zip(rows, uniform, strict=True):
            weights = share[allowed].ravel()
            empty = weights.sum() <= 0
            if empty:
                weights = use.even[allowed].ravel()
            at, label = np.divmod(choose(weights, draws), share.shape[1])
            result.append([allowed[at], label, np.full(len(at), int(empty))])
        row, label, empty = np.concatenate(result, axis=1)
        return Picks(use.cases[row], row, label, empty)

    def centers(self, rng, picks):
        """An accepted center for each of some `Picks`: voxels, `(n, 3)`."""
        center = np.empty((len(picks.case), 3), np.int64)
        keys = np.stack([picks.row, picks.label, picks.empty], axis=1)
        for key, slots in _groups(keys):
            position = self._draw_voxels(rng, *key, len(slots))
            shape = self.cases[picks.case[slots[0]]].shape
            center[slots] = np.stack(np.unravel_index(position, shape), axis=1)
        return center

    def _shares(self):
        """What cases and classes are drawn in proportion to."""
        use = self._use
        if not self._class_first:
            return use.even * use.accepted
        share = use.even * (use.accepted > 0)
        total = share.sum(axis=1, keepdims=True)
        return share / np.where(total > 0, total, 1)

    def _draw_rows(self, rng, batches):
        """Rows of the cases that patches may come from, `(groups, n)`.

        The patches of a block are divided evenly among the groups, in order.
        """
        number = len(self._use.cases)
        rows = np.arange(number)[None]
        if self._cases_per_batch is not None and self._cases_per_batch < number:
            order = np.argsort(rng.random((batches, number)), axis=1)
            rows = order[:, : self._cases_per_batch]
        if self._case_first:
            slots = batches * self._batch_size
            rows = np.repeat(rows, slots // len(rows), axis=0)
            at = below(rows.shape[1], rng.random(slots))
            rows = rows[np.arange(slots), at][:, None]
        return rows

    def _draw_voxels(self, rng, row, label, empty, number):
        """Accepted centers of a class, flat positions, int64 `(number,)`."""
        index = int(self._use.cases[row])
        known = bool(self._use.has_map[row]) and not empty
        share = self._voxels.share(index, label)
        if known:
            share *= self._use.accepted[row, label]
        found = []
        for _ in range(ROUNDS if share >= RARE else 0):
            draws = rng.random((2, int(1.25 * number / share) + 8))
            position, usable = self._voxels.candidates(index, label, draws[0])
            if known:
                error = self._error_maps.errors_of(index, label, position)
                usable &= accept(error, draws[1], self._epsilon)
            found.append(position[usable][:number])
            number -= len(found[-1])
            if not number:
                return np.concatenate(found)
        uniform = rng.random((number, 2))
        found.append(self._exact.draw(index, label, uniform, known=known))
        return np.concatenate(found)

    def _report_empty(self):
        use = self._use
        solved = ~use.accepted.any(axis=1)
        for index, done, even, accepted in zip(
            use.cases, solved, use.even, use.accepted, strict=True
        ):
            empty = np.flatnonzero((even > 0) & (accepted == 0))
            if len(empty):
                log.warning(
                    "%s: no error is left in class %s at epsilon %g; until the "
                    "next update it is %s.",
                    self.cases[index].name,
                    ", ".join(map(str, empty)),
                    self._epsilon,
                    self._use_of_solved(solved) if done else "skipped",
                )

    def _use_of_solved(self, solved):
        """What becomes of cases without any error, in words."""
        together = min(self._cases_per_batch or len(solved), len(solved))
        if self._case_first or together == 1 or solved.all():
            return "drawn evenly"
        if solved.sum() >= together:
            return "drawn evenly, in batches of such cases only"
        return "skipped"


def _harmonic_mean(rates, weights):
    """Weighted harmonic mean of the rates that are not 0; 0 if all are."""
    weights = weights * (rates > 0)
    if not weights.any():
        return 0.0
    candidates = weights / np.where(rates > 0, rates, 1)
    return float(weights.sum() / candidates.sum())


def _groups(keys):
    """`(key, indices)` of each different row of `keys`."""
    different, group = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(group.ravel()))[:-1]
    return zip(different.tolist(), np.split(order, ends), strict=True)
