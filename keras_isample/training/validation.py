"""How often a run is validated: planned once, said, and kept."""

from keras_isample.callbacks.dice_estimate import cheapest
from keras_isample.callbacks.validation_plan import ValidationPlan
from keras_isample.inference.cost import allowed
from keras_isample.inference.predictor import predictor_for
from keras_isample.training.error_map_plan import training_epoch

_FACT = "validation"
"""Name in the manifest."""


def plan_validation(config, folder, trainer):
    """The plan of a run's validations.

    Made at its start and kept in the manifest, so that a run that goes on, or
    is made longer, keeps to it.

    Args:
        config: The run's `Config`.
        folder: Its `RunFolder`.
        trainer: Its `Trainer`.

    Returns:
        A `ValidationPlan`, or `None` where there is nothing to validate with.
    """
    if not trainer.data.validation.cases:
        return None
    plan = planned_validation(folder)
    if plan is None:
        plan = _new_plan(config, trainer)
        folder.update_manifest(**{_FACT: plan.as_facts()})
    return plan


def planned_validation(folder):
    """The `ValidationPlan` in a run's manifest, or `None`."""
    facts = folder.manifest().get(_FACT)
    return None if facts is None else ValidationPlan.from_facts(facts)


def training_cost(config, trainer):
    """Multiplications of the training of a run."""
    return training_epoch(config, trainer) * config.training.epochs


def whole_cost(trainer):
    """Multiplications of one validation of whole scans."""
    validation = trainer.data.validation
    predictor = predictor_for(trainer.model, validation.tile_memory)
    return sum(
        predictor.multiplications(case.scan()) for case in validation.cases
    )


def describe_validation(config, plan, epoch):
    """A plan in a line for the user.

    Args:
        config: The run's `Config`.
        plan: The `ValidationPlan`.
        epoch: Multiplications of the training of an epoch.
    """
    epochs = config.training.epochs
    training = epochs * epoch
    total = plan.total(epochs)
    cost = f"{total / training:.1%} of what training multiplies"
    if plan.every is not None:
        often = _often(plan.every)
        return f"validation: whole scans {often}{_overruling(config)}, {cost}"
    if total > _budget(config, training):
        cost += ", more than `validation_share` allows"
    often = _often(plan.epochs / plan.times)
    if plan.times == 1 and plan.epochs == epochs:
        often = "after the last epoch"
    if not plan.is_estimated:
        return f"validation: whole scans {often}, {cost}"
    at_end = ""
    kept = min(plan.count(epochs), plan.candidates)
    if kept:
        models = "the best model" if kept == 1 else f"the {kept} best models"
        at_end = f", whole scans at the end with {models}"
    return f"validation: an estimate {often}{at_end}, {cost}"


def _often(every):
    if every == 1:
        return "after every epoch"
    if every == int(every):
        return f"every {every:.0f} epochs"
    return f"about every {every:.2g} epochs"


def _new_plan(config, trainer):
    whole = whole_cost(trainer)
    settings = config.training
    every = settings.fixed_validate_every
    if config.optimizer.is_auto:
        # Members are compared after each epoch.
        every = every or 1
    if every is not None:
        return ValidationPlan.fixed(every, whole)
    validation = trainer.data.validation

    def estimate():
        if not validation.scored_classes:
            # There is no Dice to estimate.
            return whole, None
        cost, found = cheapest(
            validation.cases,
            trainer.data.train.num_classes,
            config.data.seed,
            trainer.model,
            validation.tile_memory,
        )
        return cost, found.side

    budget = _budget(config, training_cost(config, trainer))
    return ValidationPlan.within(budget, settings.epochs, whole, estimate)


def _budget(config, training):
    """Multiplications that validation may take."""
    return allowed(
        training, config.training.validation_share, config.sampling.map_share
    )


def _overruling(config):
    """What makes validations regular, in words; empty if nothing does."""
    settings = config.training
    if settings.validate_every != "auto":
        return " (`validate_every`)"
    if settings.early_stopping:
        return " (`early_stopping`)"
    if config.optimizer.is_auto:
        return " (`learning_rate='auto'`)"
    return ""
