"""When a run is validated, so that it takes no more than its share.

Validation may take a share of all multiplications of a run. What an epoch adds
to it is put aside, and a validation happens when its cost has been saved up:
they come evenly, the last one after the last epoch, which the best model is
likely to be near. Where whole scans can be predicted after every epoch, they
are. Where fewer than
ten such validations fit into the run, a part of the scans is predicted instead
(`dice_estimate`), which is cheaper, and whole scans are predicted at the end,
to choose among the models of the three best estimates. These whole predictions
belong to the share, too: there are as many as it has room for beside an
estimate of each, or none; but three that take seconds are always made, and a
run is validated or estimated once, whatever that costs.
"""

from dataclasses import asdict
from dataclasses import dataclass

FEW = 10
"""Fewer whole validations than these are replaced by estimates."""

CANDIDATES = 3
"""Best estimates whose models are validated on whole scans, at most."""

SECONDS = 10**12
"""Multiplications that are nothing to wait for: of some ten seconds on two
cores."""

SCORE = "val_dice"
"""What whole scans add to an epoch's logs."""

ESTIMATE = "val_dice_estimated"
"""What an estimate adds to them."""


@dataclass(frozen=True)
class ValidationPlan:
    """How often validation scans are predicted, and how much of them.

    All costs are multiplications.

    Attributes:
        every: Epochs between two validations of whole scans, whatever they
            cost; `None` where they are saved up for.
        whole: Cost of one validation of whole scans.
        estimate: Cost of an estimate; 0 where whole scans are predicted.
        times: Validations that are saved up for in `epochs` epochs.
        epochs: Epochs of the run as it was begun.
        candidates: Models that are validated on whole scans at the end of a
            run of estimates.
        block: Side in voxels of the blocks of estimates, `None` without.
    """

    every: int | None
    whole: int
    estimate: int = 0
    times: int = 0
    epochs: int = 0
    candidates: int = 0
    block: int | None = None

    @classmethod
    def fixed(cls, every, whole):
        """Whole scans every so many epochs."""
        return cls(every=every, whole=whole)

    @classmethod
    def within(cls, budget, epochs, whole, estimate):
        """A plan that keeps within a budget.

        Args:
            budget: Multiplications that validation may take in the run.
            epochs: Epochs of the run.
            whole: Cost of one validation of whole scans.
            estimate: Function without arguments: cost of an estimate, and the
                side of its blocks.
        """
        if budget >= epochs * whole:
            return cls.fixed(1, whole)
        if budget >= FEW * whole:
            return cls(None, whole, times=budget // whole, epochs=epochs)
        cost, block = estimate()
        if cost >= whole:
            # Of small scans, say, whose blocks nearly all hold a structure.
            times = max(1, budget // whole)
            return cls(None, whole, times=times, epochs=epochs)
        affordable = min(CANDIDATES, budget // (whole + cost))
        candidates = max(affordable, min(CANDIDATES, SECONDS // whole))
        left = budget - affordable * whole
        times = min(epochs, max(1, left // cost))
        return cls(None, whole, cost, times, epochs, candidates, block)

    @property
    def is_estimated(self):
        """Whether validations during the run are estimates."""
        return self.estimate > 0

    @property
    def column(self):
        """By which number in their logs epochs are compared."""
        return ESTIMATE if self.is_estimated else SCORE

    @property
    def cost(self):
        """Cost of one validation during the run."""
        return self.estimate if self.is_estimated else self.whole

    def is_due(self, epoch):
        """Whether there is a validation after an epoch, counted from 1."""
        return self.count(epoch) > self.count(epoch - 1)

    def count(self, epochs):
        """Validations during so many epochs, without those at a run's end."""
        if self.every is not None:
            return epochs // self.every
        return epochs * self.times // self.epochs

    def total(self, epochs):
        """Cost of all validations of a run of so many epochs."""
        count = self.count(epochs)
        return count * self.cost + min(count, self.candidates) * self.whole

    def as_facts(self):
        """A JSON-compatible dictionary."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts):
        """From what `as_facts` returned."""
        return cls(**facts)
