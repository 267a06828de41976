"""How error maps are refreshed within their share: planned once and kept."""

import math
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from keras_isample.errors import InputError
from keras_isample.inference.block_side import block_side
from keras_isample.inference.block_side import typical_cost
from keras_isample.inference.cost import allowed
from keras_isample.inference.cost import batch_pass
from keras_isample.inference.cost import training_step
from keras_isample.inference.predictor import predictor_for
from keras_isample.volumes.block_grid import BlockGrid
from keras_isample.volumes.block_grid import even_sides

_FACT = "error_maps"
"""Name in the manifest."""

_COUNTED = 40
"""Scans whose tiles are counted, at most; the others count by their voxels."""

_LOOKED_AT = 8
"""Scans whose blocks with structures are counted, at most."""


@dataclass(frozen=True)
class ErrorMapPlan:
    """How much of the training scans is predicted after an epoch.

    All costs are multiplications.

    Attributes:
        way: `"whole"`, `"blocks"`, `"concurrent"`, or `"none"` where nothing
            is predicted for maps.
        step: Cost of a step of training.
        epoch: Cost of an epoch of training.
        whole: Cost of the maps of all scans, whole.
        cases: Scans of an update of whole maps; 0 with other ways.
        budget: What an epoch adds to the budget of blocks; 0 with other ways.
        every: Epochs between two refreshes of a voxel that counts, on average:
            with blocks, of those of a block that holds a structure.
    """

    way: str
    step: int
    epoch: int
    whole: int = 0
    cases: int = 0
    budget: int = 0
    every: float = 0.0

    def cost(self, count):
        """Cost of the update of an epoch, of `count` scans in all."""
        return self.budget + self.whole * self.cases // max(1, count)

    def as_facts(self):
        """A JSON-compatible dictionary."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts):
        """From what `as_facts` returned."""
        return cls(**facts)


def plan_error_maps(config, folder, trainer):
    """The plan of a run's error maps.

    Made at its start and kept in the manifest, so that a run that goes on, or
    is made longer, keeps to it.

    Args:
        config: The run's `Config`.
        folder: Its `RunFolder`.
        trainer: Its `Trainer`.

    Returns:
        An `ErrorMapPlan`.

    Raises:
        InputError: If settings ask for whole maps and the share does not
            allow them.
    """
    plan = planned_error_maps(folder)
    if plan is None:
        plan = _new_plan(config, trainer)
        folder.update_manifest(**{_FACT: plan.as_facts()})
    return plan


def planned_error_maps(folder):
    """The `ErrorMapPlan` in a run's manifest, or `None`."""
    facts = folder.manifest().get(_FACT)
    return None if facts is None else ErrorMapPlan.from_facts(facts)


def resolved(config, plan):
    """The settings, with what the plan has decided."""
    sampling = config.sampling
    if sampling.sample_from != "auto":
        return config
    chosen = "all" if plan.way == "blocks" else "refreshed"
    return replace(config, sampling=replace(sampling, sample_from=chosen))


def training_epoch(config, trainer):
    """Multiplications of an epoch of training."""
    batch = trainer.model, trainer.sampler.geometry, config.sampling.batch_size
    settings = config.training
    measured = settings.normalization_batches * batch_pass(*batch)
    return settings.steps_per_epoch * training_step(*batch) + measured


def planned_shares(plan, count, epochs, validation=0):
    """What parts of the time take, as planned, counted in multiplications.

    Args:
        plan: The `ErrorMapPlan`.
        count: Training scans.
        epochs: Epochs of the run.
        validation: Multiplications of all validations.

    Returns:
        Dictionary from `"training"`, `"error_maps"` and `"validation"` to
        shares whose sum is 1. Maps that are made beside the training take
        none.
    """
    parts = {
        "training": plan.epoch * epochs,
        "error_maps": plan.cost(count) * epochs,
        "validation": validation,
    }
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}


def describe_shares(shares):
    """What `planned_shares` returns, in a line for the user."""
    parts = (f"{name.replace('_', ' ')} {x:.1%}" for name, x in shares.items())
    return f"planned shares of the time: {', '.join(parts)}"


def describe(plan, count):
    """A plan in a line for the user.

    Args:
        plan: The `ErrorMapPlan`.
        count: Training scans.

    Returns:
        str; empty if there is nothing to say.
    """
    if plan.way == "none":
        return ""
    scans = "1 scan" if count == 1 else f"{count} scans"
    if plan.way == "concurrent":
        return (
            f"error maps: beside the training; the maps of all {scans} take "
            f"as many multiplications as {plan.whole / plan.epoch:.2g} epochs "
            "of training"
        )
    part = plan.cost(count) / plan.epoch
    cost = f"{part:.1%} of what training multiplies"
    if plan.way == "whole":
        if plan.cases == count:
            return f"error maps: of all {scans} after every epoch, {cost}"
        return (
            f"error maps: of {plan.cases} of {scans} after every epoch, each "
            f"every {plan.every:.2g} epochs, {cost}"
        )
    often = "every epoch"
    if plan.every > 1:
        often = f"about every {plan.every:.2g} epochs"
    return (
        f"error maps: block by block, {cost}; a block that holds a structure "
        f"comes {often}; whole maps after every epoch would take "
        f"{plan.whole / plan.epoch:.0%}"
    )


def _new_plan(config, trainer):
    sampling, cases = config.sampling, trainer.sampler.cases
    step = training_step(
        trainer.model, trainer.sampler.geometry, sampling.batch_size
    )
    epoch = training_epoch(config, trainer)
    way = sampling.error_map_way
    if way is None or not (way.has_share or way.in_background):
        return ErrorMapPlan("none", step, epoch)
    predictor = predictor_for(trainer.model, config.training.tile_bytes)
    whole = _whole_cost(predictor, cases, config.data.seed)
    if way.in_background:
        return ErrorMapPlan("concurrent", step, epoch, whole)
    count = len(cases)
    wanted = min(sampling.num_error_map_cases or count, count)
    share = sampling.map_share
    budget = math.inf
    if share is not None:
        budget = allowed(epoch, share, config.training.bound_validation_share)
    if wanted * whole <= count * budget:
        every = count / wanted
        return ErrorMapPlan("whole", step, epoch, whole, wanted, 0, every)
    _refuse_whole(sampling, budget, whole / count)
    every = _epochs_between(predictor, cases, budget)
    return ErrorMapPlan("blocks", step, epoch, whole, 0, budget, every)


def _refuse_whole(sampling, budget, each):
    """Refuses settings that mean whole scans.

    Raises:
        InputError: Naming the setting.
    """
    fits = f"{math.floor(100 * budget / each) / 100:g} scans"
    because = f"`error_map_share={sampling.error_map_share:g}` pays for {fits}"
    cure = (
        "Remove it, and blocks of all scans are refreshed, or use "
        "`error_map_share='none'`"
    )
    if sampling.error_map_cases != "all":
        raise InputError(
            "`error_map_cases`",
            f"asks for {sampling.error_map_cases} whole scans after every "
            f"epoch, and {because}",
            cure,
        )
    if sampling.sample_from == "refreshed":
        raise InputError(
            "`sample_from`",
            "refreshed asks for whole scans after every epoch, all of them, "
            f"and {because}",
            cure,
        )


def _whole_cost(predictor, cases, seed):
    """Multiplications of the maps of all scans."""
    counted = cases
    if len(cases) > _COUNTED:
        order = np.random.default_rng(seed).permutation(len(cases))
        counted = [cases[i] for i in order[:_COUNTED]]
    total = sum(predictor.multiplications(c.scan()) for c in counted)
    part = sum(c.size for c in counted) / sum(c.size for c in cases)
    return int(total / part)


def _epochs_between(predictor, cases, budget):
    """Epochs until all blocks that hold a structure have been refreshed."""
    side = block_side(predictor, cases)
    total, some = 0, cases[:_LOOKED_AT]
    for case in some:
        sides = even_sides(case.shape, side, predictor.units(case.shape))
        # A few voxels of each structure in each block suffice.
        place = np.asarray(case.positions()[:: min(16, side)], np.int64)
        blocks, _ = BlockGrid(tuple(case.shape), sides).find(place)
        cost = typical_cost(predictor, case.shape, sides)
        total += len(np.unique(blocks)) * cost
    return max(1.0, total / len(some) * len(cases) / budget)
