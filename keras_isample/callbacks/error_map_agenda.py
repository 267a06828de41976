"""Which error map is made next, and which are waiting to be used."""

from pathlib import Path
from typing import NamedTuple


class FinishedMap(NamedTuple):
    """A map that was made: its file, and the version of its weights."""

    path: Path
    version: int


class Agenda:
    """Goes round the cases, always with the newest weights.

    The case whose map is oldest is next; of equal ones the first in the given
    order. Where every map is from the newest weights there is nothing to do.
    Maps that are wanted, each from certain weights, come before all this.

    A version is the number of epochs that weights have behind them.

    Args:
        order: Indices of all cases.
        versions: Dictionary from case to the version of the map in use.

    Attributes:
        newest: Version of the newest weights; `None` as long as there are none.
        task: Case and version that is being made, or `None`.
    """

    def __init__(self, order, versions=()):
        self.newest = None
        self.task = None
        self._order = list(order)
        self._versions = dict(versions)
        self._wanted = []
        self._finished = {}

    def want(self, pairs):
        """Has certain maps made first, in this order.

        Each is made as soon as there are weights of its version.

        Args:
            pairs: Pairs of case and version.
        """
        for pair in pairs:
            if pair not in self._finished and pair not in self._wanted:
                self._wanted.append(pair)

    def begin(self):
        """Chooses `task` and returns it; `None` if there is nothing to do."""
        self.task = self._next()
        return self.task

    def finish(self, error_map):
        """Takes the `FinishedMap` of `task`."""
        case, version = self.task
        self._finished[self.task] = error_map
        self._versions[case] = max(version, self._versions.get(case, 0))
        if self.task in self._wanted:
            self._wanted.remove(self.task)
        self.task = None

    def take_all(self):
        """Gives all finished maps away.

        Returns:
            Dictionary from case to its newest `FinishedMap`, and a list
            of the others.
        """
        newest, others = {}, []
        for case, version in sorted(self._finished):
            if case in newest:
                others.append(newest[case])
            newest[case] = self._finished[case, version]
        self._finished = {}
        return newest, others

    def take(self, pairs):
        """Gives certain finished maps away.

        Args:
            pairs: Pairs of case and version, one for each case.

        Returns:
            Dictionary from case to `FinishedMap`; `None` if not all of them are
            finished.
        """
        if not self._finished.keys() >= set(pairs):
            return None
        return {pair[0]: self._finished.pop(pair) for pair in pairs}

    def versions(self):
        """Versions of whatever is begun, finished or wanted, and the newest."""
        known = {self.newest} - {None}
        if self.task is not None:
            known.add(self.task[1])
        return known | {v for _, v in [*self._finished, *self._wanted]}

    def _next(self):
        if self.newest is None:
            return None
        if self._wanted:
            return next((p for p in self._wanted if p[1] <= self.newest), None)
        oldest = min(self._order, key=lambda case: self._versions.get(case, 0))
        if self._versions.get(oldest, 0) >= self.newest:
            return None
        return oldest, self.newest
