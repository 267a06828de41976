"""The genetic operator: who starts the next period, and at which rate.

An operator has three methods. `fitness` makes a number of a member's scores,
`select` chooses a parent for each member of the next population, `vary` gives
each of these its rate. Any object with these methods will do.
"""

import math
from collections.abc import Sequence

import numpy as np


class WinnerTakesAll:
    """The best member starts all members of the next period (Algorithm 2).

    Args:
        factors: The winner's rate times these are the next rates; as many
            members as factors.
    """

    def __init__(self, factors: Sequence[float] = (2.0, 1.0, 0.5)):
        self.factors = tuple(factors)

    def fitness(self, scores: Sequence[float]) -> float:
        """The best score of the period; minus infinity if there is none."""
        return best_of(scores)

    def select(self, fitness: Sequence[float]) -> list[int]:
        """The parent of each member of the next population.

        Args:
            fitness: One number for each member; minus infinity for one that
                diverged or was left out. At least one is finite.

        Returns:
            Indices of members. Of equally fit ones the first.
        """
        return [int(np.argmax(fitness))] * len(self.factors)

    def vary(
        self,
        rates: Sequence[float],
        parents: Sequence[int],
        rng: np.random.Generator,
    ) -> list[float]:
        """The rates of the next population.

        Args:
            rates: Those of this population.
            parents: What `select` returned.
            rng: For operators that draw; the same after a restart.
        """
        return [
            rates[parent] * factor
            for parent, factor in zip(parents, self.factors, strict=True)
        ]


class TruncationSelection:
    """As in population-based training (Jaderberg et al., 2017, section 4.1).

    The worst members are replaced by copies of the best, whose rate is
    multiplied by one of `factors`; all others go on as they are. The papers'
    share of 20 % is rounded up to one member at least.

    Args:
        share: Of the members that are replaced, and of those they copy.
        factors: One of them is drawn for each copy.
    """

    def __init__(
        self, share: float = 0.2, factors: Sequence[float] = (0.8, 1.2)
    ):
        if not 0 < share <= 0.5:
            raise ValueError(
                "Argument `share` must be above 0 and at most 0.5. "
                f"Received: share={share}."
            )
        self.share = share
        self.factors = tuple(factors)

    def fitness(self, scores: Sequence[float]) -> float:
        """The last score of the period; minus infinity if there is none."""
        known = [s for s in scores if s is not None and not math.isnan(s)]
        return known[-1] if known else -math.inf

    def select(self, fitness: Sequence[float]) -> list[int]:
        """As in `WinnerTakesAll`; a member that goes on is its own parent.

        Members without a score are replaced too, however many there are.
        """
        order = np.argsort(-np.asarray(fitness, float), kind="stable").tolist()
        count = max(1, math.floor(self.share * len(order)))
        lost = [i for i in order if fitness[i] == -math.inf]
        best = [i for i in order[:count] if i not in lost]
        replaced = order[-max(count, len(lost)) :] if len(order) > 1 else []
        parents = list(range(len(order)))
        for number, member in enumerate(reversed(replaced)):
            parents[member] = best[number % len(best)]
        return parents

    def vary(
        self,
        rates: Sequence[float],
        parents: Sequence[int],
        rng: np.random.Generator,
    ) -> list[float]:
        """As in `WinnerTakesAll`; who goes on keeps the rate."""
        return [
            rates[parent]
            * (1.0 if parent == member else float(rng.choice(self.factors)))
            for member, parent in enumerate(parents)
        ]


def best_of(scores: Sequence[float]) -> float:
    """The highest of some scores; minus infinity if there is none."""
    known = [s for s in scores if s is not None and not math.isnan(s)]
    return max(known, default=-math.inf)
