"""Every rule between two settings or more, once.

What contradicts each other is refused by `Config`, whoever makes it. What has
no effect beside the others is refused only where it was asked for, by the
command line: settings in files and presets may be meant for runs that do use
them.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_isample.config.autolr import AutoLRConfig
from keras_isample.errors import InputError
from keras_isample.registries import AUGMENTATIONS
from keras_isample.registries import ERROR_MAPS
from keras_isample.registries import LOSSES
from keras_isample.registries import NETWORKS
from keras_isample.registries.networks import names_for_slices

if TYPE_CHECKING:
    from keras_isample.config.config import Config

_Conflicts = Iterator[tuple[str, str, str]]
"""The setting at fault, what is wrong with it, and what to do."""


def refuse_conflicts(config: "Config", sees_slices: bool | None = None) -> None:
    """Refuses settings that contradict each other.

    Args:
        config: All settings.
        sees_slices: Whether the network is 2D, where the images have decided
            that.

    Raises:
        InputError: Naming a setting.
    """
    if sees_slices is None:
        sees_slices = config.network.sees_slices
    for found in (
        _of_network(config),
        _of_loss(config),
        _of_autolr(config),
        _of_training(config),
        _of_sampling(config, sees_slices),
    ):
        for name, problem, cure in found:
            raise InputError(f"`{name}`", problem, cure)


def _of_network(config: "Config") -> _Conflicts:
    settings = config.network
    name, size = settings.network, settings.patch_size
    spec = NETWORKS[name]
    cure = f"Use `network` {names_for_slices()}"
    if size == "full" and spec.sees_volumes_only:
        yield "patch_size", f"is full, but {name} sees volumes", cure
    multiple = spec.multiple
    if isinstance(size, int) and size % multiple:
        yield (
            "patch_size",
            f"must be a multiple of {multiple} for {name}, got {size}",
            f"Use {max(multiple, multiple * round(size / multiple))}",
        )
    if settings.axis != "none" and spec.sees_volumes_only:
        yield "axis", f"is {settings.axis}, but {name} sees volumes", cure


def _of_loss(config: "Config") -> _Conflicts:
    settings, epochs = config.loss, config.training.epochs
    names = settings.names
    weighted = [name for name in names if LOSSES[name].needs_weights]
    if weighted and settings.class_weights == "none":
        yield (
            "class_weights",
            f"is none, but {weighted[0]} weighs the classes",
            "Use median-frequency or effective-number",
        )
    takes = [name for name in names if LOSSES[name].weighted]
    if settings.class_weights != "none" and not takes:
        form = LOSSES[names[0]].weighted_form
        yield (
            "class_weights",
            f"is {settings.class_weights}, but {names[0]} has no weights",
            f"Use `loss='{form}'`, or remove it" if form else "Remove it",
        )
    if settings.loss_transition != "step" and len(names) == 1:
        yield (
            "loss_transition",
            "is linear, but there is a single loss",
            "Give a `loss_schedule`",
        )
    starts = [start for _, start in settings.stages(epochs)]
    if len(set(starts)) < len(starts):
        yield (
            "loss_schedule",
            f"has more losses than the {epochs} epochs",
            "Use more `epochs`",
        )
    if starts[-1] >= epochs:
        yield (
            "loss_schedule",
            f"has a loss from epoch {starts[-1]} on, and there are {epochs} "
            "epochs",
            "Use more `epochs`, or a shorter schedule",
        )


def _of_autolr(config: "Config") -> _Conflicts:
    if not config.optimizer.is_auto:
        return
    training, settings = config.training, config.autolr
    if config.optimizer.schedule[0] != "constant":
        yield (
            "lr_schedule",
            f"is {config.optimizer.schedule[0]}, but the rate is found by "
            "AutoLR",
            "Remove it, or give `learning_rate` a number",
        )
    if (training.fixed_validate_every or 0) > settings.period:
        yield (
            "validate_every",
            f"is longer than a period of {settings.period} epochs",
            "Members are compared by their validation Dice: use 1",
        )
    if ERROR_MAPS[config.sampling.error_maps].in_background:
        yield (
            "error_maps",
            f"{config.sampling.error_maps} is not supported with "
            "`learning_rate='auto'`",
            "Use `error_maps='epoch'` or online",
        )
    if training.save_error_maps:
        yield (
            "save_error_maps",
            "is not supported with `learning_rate='auto'`",
            "Remove it",
        )
    if settings.ray_address and settings.executor not in ("auto", "ray"):
        yield (
            "ray_address",
            f"means nothing with `executor='{settings.executor}'`",
            "Remove one of them",
        )
    for name in ("refit", "early_stopping"):
        if getattr(training, name):
            yield (
                name,
                "is not supported with `learning_rate='auto'`, whose members "
                "are compared by their validation",
                "Remove it, or give `learning_rate` a number",
            )


def _of_training(config: "Config") -> _Conflicts:
    training = config.training
    if training.refit and training.early_stopping:
        yield (
            "early_stopping",
            "needs validation cases, and `refit=True` trains on them",
            "Remove one of them",
        )
    maps = config.sampling.map_share or 0.0
    validation = training.bound_validation_share or 0.0
    if maps + validation >= 1:
        yield (
            "error_map_share",
            f"is {maps:g} and `validation_share` {validation:g}, which leaves "
            "nothing for training",
            "Use smaller shares",
        )


def _of_sampling(config: "Config", sees_slices: bool | None) -> _Conflicts:
    sampling = config.sampling
    slices_only = AUGMENTATIONS[sampling.augmentation].slices_only
    if slices_only and sees_slices is False:
        yield (
            "augmentation",
            f"is {sampling.augmentation}, which is for slices, and the network "
            "sees volumes",
            "Remove it, or use `network='unet'` with `axis`",
        )
    in_turn = sees_slices and config.network.patch_size in ("auto", "full")
    if (
        in_turn
        and sampling.sampling == "uniform"
        and sampling.cases_per_batch != "all"
    ):
        yield (
            "cases_per_batch",
            f"is {sampling.cases_per_batch}, but whole slices come in turn",
            "Use all, or `sampling='isample'`",
        )
    way = ERROR_MAPS[sampling.error_maps]
    if way.chooses_cases and sampling.error_map_cases != "all":
        yield (
            "error_map_cases",
            "chooses scans of an update, and "
            f"`error_maps='{sampling.error_maps}'` chooses them itself",
            "Remove it, or use `error_maps='epoch'`",
        )


def without_effect(
    config: "Config", names: Iterable[str]
) -> tuple[str, str] | None:
    """The first of some settings that changes nothing beside the others.

    Args:
        config: All settings.
        names: Of the settings to look at.

    Returns:
        Its name, and why it has no effect; `None` if all have one.
    """
    asked = set(names)
    for settings, is_void, because in _VOID:
        found = [name for name in settings if name in asked]
        if found and is_void(config):
            words = because(config) if callable(because) else because
            return found[0], words
    return None


_Rule = tuple[
    tuple[str, ...],
    Callable[["Config"], bool],
    str | Callable[["Config"], str],
]

_VOID: tuple[_Rule, ...] = (
    (
        (
            "epsilon",
            "error_maps",
            "error_map_cases",
            "error_map_share",
            "redraw",
            "save_error_maps",
        ),
        lambda config: config.sampling.sampling == "uniform",
        "with `sampling='uniform'`",
    ),
    (
        ("error_map_share",),
        lambda config: not ERROR_MAPS[config.sampling.error_maps].has_share,
        lambda config: (
            f"with `error_maps='{config.sampling.error_maps}'`, which "
            f"{ERROR_MAPS[config.sampling.error_maps].why}"
        ),
    ),
    (
        ("augmentation", "spacing_jitter"),
        lambda config: not config.sampling.augment,
        "with `augment=False`",
    ),
    (
        ("spacing_jitter",),
        lambda config: (
            not AUGMENTATIONS[config.sampling.augmentation].varies_spacing
        ),
        lambda config: f"with `augmentation='{config.sampling.augmentation}'`",
    ),
    (
        ("loss",),
        lambda config: bool(config.loss.loss_schedule),
        "with `loss_schedule`",
    ),
    (
        ("loss_transition",),
        lambda config: len(config.loss.names) < 2,
        "without a `loss_schedule` of two losses or more",
    ),
    (
        ("validate_every", "validate_cases", "validation_share"),
        lambda config: config.training.refit,
        "with `refit=True`, which validates nothing",
    ),
    (
        ("validation_share",),
        lambda config: config.training.validate_every != "auto",
        "with `validate_every`, which overrules it",
    ),
    (
        ("validation_share",),
        lambda config: config.training.early_stopping > 0,
        "with `early_stopping`, which validates every epoch",
    ),
    (
        ("validation_share",),
        lambda config: config.optimizer.is_auto,
        "with `learning_rate='auto'`, which validates every epoch",
    ),
    (
        ("early_stopping", "validate_cases"),
        lambda config: (
            (config.training.fixed_validate_every or 1) > config.training.epochs
        ),
        "where `validate_every` is longer than the run",
    ),
    (
        tuple(entry.name for entry in dataclasses.fields(AutoLRConfig)),
        lambda config: not config.optimizer.is_auto,
        "without `learning_rate='auto'`",
    ),
)
"""Settings, when they have no effect, and how that is said: in words, or by a
function of the configuration."""
