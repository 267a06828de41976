"""Error maps block by block, as far as a budget of multiplications goes."""

from collections import Counter

import numpy as np

from keras_isample.callbacks.predicted_errors import predicted_errors
from keras_isample.inference.block_side import block_side
from keras_isample.inference.block_side import typical_cost
from keras_isample.inference.predictor import predictor_for
from keras_isample.sampling.block_order import BlockOrder
from keras_isample.volumes.block_grid import even_sides

_STREAM = 95
"""Sets the choice of cases apart from other draws of the same seed."""

BLOCKS_PER_CASE = 8
"""An update reaches as many cases as give each about so many blocks. What is
stored of a case is copied by an update; so it should change a part of it."""


class BlockUpdate:
    """Refreshes the blocks whose errors count most and are oldest.

    What an epoch adds to the budget and its update does not need, such as less
    than the cost of one block, is kept for later ones, in the state of the
    error maps. The cases of an update are those whose maps were changed longest
    ago; of equal ones chance decides. Each has the same part of the budget, and
    its blocks come in the order of `BlockOrder` until that is spent.

    Args:
        sampler: The `ISample`; it draws from all cases.
        budget: Multiplications that an epoch adds.
        tile_memory: As of `predictor_for`.

    Raises:
        ValueError: If the sampler does not draw from all cases.
    """

    def __init__(self, sampler, budget, tile_memory=None):
        if sampler.sample_from != "all":
            raise ValueError(
                'Argument `sampler` must have sample_from="all" where maps '
                "are refreshed block by block. Received: "
                f"sample_from={sampler.sample_from!r}."
            )
        self._sampler = sampler
        self._budget = budget
        self._tile_memory = tile_memory
        self._order = BlockOrder(sampler)
        self._cost = None

    def update(self, model, phase):
        """Refreshes blocks with the current weights of a model.

        Args:
            model: The model.
            phase: The `Phase` that shows the cases and their voxels.
        """
        sampler, maps = self._sampler, self._sampler.error_maps
        predictor = predictor_for(model, self._tile_memory)
        if not maps.is_divided:
            divide(maps, predictor)
        maps.saved += self._budget
        version = sampler.epoch + 1
        shares = sampler.class_shares()
        chosen = self._cases(predictor, version)
        phase(0, len(chosen))
        for number, index in enumerate(chosen):
            allowance = maps.saved // (len(chosen) - number)
            blocks, cost = self._affordable(
                predictor, index, shares[index], version, allowance
            )
            if not blocks:
                continue
            case, grid = sampler.cases[index], maps.grid(index)
            values = predicted_errors(
                model,
                case,
                (sampler.seed, version, index),
                [grid.box(block) for block in blocks],
                tile_memory=self._tile_memory,
                progress=phase.within,
            )
            maps.update(
                index, blocks, values, version=version, seed=sampler.seed
            )
            maps.saved -= cost
            phase(number + 1)

    def _cases(self, predictor, version):
        """Cases of an update: those whose maps are oldest."""
        sampler, maps = self._sampler, self._sampler.error_maps
        count = len(sampler.cases)
        blocks = maps.saved / self._mean_cost(predictor)
        number = int(np.clip(blocks // BLOCKS_PER_CASE, 1, count))
        versions = [maps[i].version if maps[i] else 0 for i in range(count)]
        rng = np.random.default_rng((sampler.seed, version, _STREAM))
        return np.lexsort((rng.random(count), versions))[:number].tolist()

    def _mean_cost(self, predictor):
        """Multiplications of a block, on average over the cases."""
        if self._cost is None:
            grids = map(
                self._sampler.error_maps.grid, range(len(self._sampler.cases))
            )
            counts = Counter((grid.shape, grid.sides) for grid in grids)
            costs = [typical_cost(predictor, *facts) for facts in counts]
            self._cost = np.average(costs, weights=list(counts.values()))
        return self._cost

    def _affordable(self, predictor, index, shares, version, allowance):
        """The next blocks of a case, in order, and what they cost."""
        scan = self._sampler.cases[index].scan()
        grid = self._sampler.error_maps.grid(index)
        blocks, total = [], predictor.setup_multiplications
        for block in self._order.draw(index, shares, version).tolist():
            cost = predictor.multiplications(scan, [grid.box(block)])
            cost -= predictor.setup_multiplications
            if total + cost > allowance:
                break
            blocks.append(block)
            total += cost
        return blocks, total


def divide(maps, predictor):
    """Cuts the scans of error maps into blocks.

    Args:
        maps: The `ErrorMaps`.
        predictor: What predicts the scans.
    """
    shapes = [case.shape for case in maps.cases]
    side = block_side(predictor, maps.cases)
    maps.divide(
        [even_sides(shape, side, predictor.units(shape)) for shape in shapes]
    )
