"""An estimate of Dice on validation scans, from a part of their blocks.

A scan is cut into blocks. Those that hold a structure are all predicted, so
that what is found and what is missed of it is counted exactly. Of the others a
tenth is predicted, drawn once by the seed and the same in every epoch, and what
is found there by mistake counts as many times as there are others for each one
that is predicted: over all draws its mean is the whole scan's.
"""

import numpy as np

from keras_isample.inference.predictor import predict_tiles
from keras_isample.inference.predictor import predictor_for
from keras_isample.progress import SILENT
from keras_isample.progress import Phase
from keras_isample.volumes.block_grid import BlockGrid
from keras_isample.volumes.block_grid import even_sides
from keras_isample.volumes.overlap import confusion_counts

SIDES = (16, 32, 64)
"""Sides of blocks in voxels, of which the cheapest is taken. The smaller the
less lies around a structure, and the more around a block is computed."""

_MOST_BLOCKS = 2000
"""Of a scan: smaller blocks would be too many to be listed one by one."""

_SHARE = 10
"""One of so many other blocks is predicted."""

_STREAM = 53
"""Sets the choice of blocks apart from other draws with the same seed."""


class DiceEstimate:
    """Predicts the blocks of some cases that Dice is estimated from.

    Args:
        cases: The `PreparedCase`s.
        num_classes: Classes including background.
        seed: Seed of the choice of blocks.
        side: Side of a block in voxels, as `cheapest` returned it.
        tile_memory: As of `predictor_for`.
    """

    def __init__(self, cases, num_classes, seed, side, tile_memory=None):
        self.cases = cases
        self.num_classes = num_classes
        self.seed = seed
        self.side = side
        self.tile_memory = tile_memory
        self._chosen = {}

    def measure(self, model, phase=None):
        """Dice of each case and class, `(cases, classes)`.

        Args:
            model: The model.
            phase: The `Phase` that shows the cases and their voxels.

        Returns:
            float; nan where a class was not annotated, or neither lies nor is
            found in the blocks.
        """
        phase = phase or Phase(SILENT, "")
        predictor = predictor_for(model, self.tile_memory)
        table = np.full((len(self.cases), self.num_classes), np.nan)
        for number, case in enumerate(self.cases):
            phase(number, len(self.cases))
            counts = self._counts(number, case, predictor, phase.within)
            both = 2 * counts["TP"]
            either = both + counts["FP"] + counts["FN"]
            np.divide(both, either, out=table[number], where=either > 0)
            table[number, list(case.missing)] = np.nan
        phase(len(self.cases), len(self.cases))
        return table

    def multiplications(self, model):
        """What `measure` multiplies."""
        predictor = predictor_for(model, self.tile_memory)
        return sum(
            predictor.multiplications(
                case.scan(), self._blocks(number, case, predictor)[0]
            )
            for number, case in enumerate(self.cases)
        )

    def _counts(self, number, case, predictor, progress=None):
        """Weighted voxels found, found by mistake and missed of each class."""
        boxes, weights = self._blocks(number, case, predictor)
        labels = case.labels()
        sums = {name: np.zeros(self.num_classes) for name in ("TP", "FP", "FN")}
        # Tiles come box by box.
        at = 0
        tiles = predict_tiles(predictor, case.scan(), boxes, progress=progress)
        for start, probabilities in tiles:
            while not _begins_in(boxes[at], start):
                at += 1
            place = tuple(
                slice(a, a + n)
                for a, n in zip(start, probabilities.shape[:3], strict=True)
            )
            found = probabilities.argmax(axis=-1)
            counts = confusion_counts(labels[place], found, self.num_classes)
            for name, total in sums.items():
                total += weights[at] * counts[name]
        return sums

    def _blocks(self, number, case, predictor):
        """Boxes that are predicted of a case, and what each one counts."""
        if number not in self._chosen:
            grid = _grid(case, self.side, predictor)
            occupied = _occupied(case.labels(), grid).ravel()
            inside, others = np.flatnonzero(occupied), np.flatnonzero(~occupied)
            rng = np.random.default_rng((self.seed, number, _STREAM))
            count = -(-len(others) // _SHARE)
            drawn = np.sort(rng.permutation(others)[:count])
            weight = len(others) / count if count else 0.0
            boxes = [grid.box(block) for block in (*inside, *drawn)]
            weights = [1.0] * len(inside) + [weight] * count
            self._chosen[number] = boxes, weights
        return self._chosen[number]


def cheapest(cases, num_classes, seed, model, tile_memory=None):
    """The cheapest estimate of some cases.

    Args:
        cases, num_classes, seed, tile_memory: As of `DiceEstimate`.
        model: The model that will predict them.

    Returns:
        Its multiplications and its `DiceEstimate`.
    """
    predictor = predictor_for(model, tile_memory)
    # A slice is a block.
    slices = min(predictor.units(cases[0].shape)) == 1
    sides = (1,) if slices else SIDES
    found = []
    for side in sides:
        blocks = [_grid(case, side, predictor).size for case in cases]
        if max(blocks) > _MOST_BLOCKS and side != sides[-1]:
            continue
        estimate = DiceEstimate(cases, num_classes, seed, side, tile_memory)
        found.append((estimate.multiplications(model), side, estimate))
    cost, _, estimate = min(found, key=lambda entry: entry[:2])
    return cost, estimate


def _grid(case, side, predictor):
    """The blocks of a case, of about a side."""
    units = predictor.units(case.shape)
    return BlockGrid(case.shape, even_sides(case.shape, side, units))


def _occupied(labels, grid):
    """Which blocks of a label map hold any structure."""
    result, sides = np.zeros(grid.counts, bool), grid.sides
    for row, target in enumerate(result):
        # Slab by slab, as a mask of the whole would take its memory.
        slab = labels[row * sides[0] : (row + 1) * sides[0]] > 0
        slab = slab.any(axis=0)
        for axis, side in enumerate(sides[1:]):
            starts = np.arange(0, slab.shape[axis], side)
            slab = np.logical_or.reduceat(slab, starts, axis=axis)
        target |= slab
    return result


def _begins_in(box, start):
    return all(p.start <= a < p.stop for p, a in zip(box, start, strict=True))
