"""Options that mean nothing beside the other settings of a run."""

import dataclasses

from keras_isample.config.autolr import AutoLRConfig
from keras_isample.errors import InputError
from keras_isample.registries import AUGMENTATIONS
from keras_isample.registries import ERROR_MAPS

_POPULATION = tuple(entry.name for entry in dataclasses.fields(AutoLRConfig))


def refuse_unused(config, chosen):
    """Refuses an option that was given and changes nothing.

    Settings in files and presets are left alone: they may be meant for runs
    that do use them.

    Args:
        config: The `Config` that the options are part of.
        chosen: Settings given as options.

    Raises:
        InputError: Naming the option and what makes it void.
    """
    for names, is_void, because in _RULES:
        given = [name for name in names if name in chosen]
        # A flag that is off asks for nothing, and a bound that is none.
        given = [
            name
            for name in given
            if chosen[name] is not False and chosen[name] != "none"
        ]
        if given and is_void(config):
            raise InputError(
                "--" + given[0].replace("_", "-"),
                f"has no effect {_words(because, config)}",
                "Leave it away",
            )


def _words(because, config):
    return because(config) if callable(because) else because


def _augmentation(config):
    return AUGMENTATIONS[config.sampling.augmentation]


_RULES = (
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
        "with --sampling uniform",
    ),
    (
        ("error_map_share",),
        lambda config: not ERROR_MAPS[config.sampling.error_maps].has_share,
        lambda config: (
            f"with --error-maps {config.sampling.error_maps}, which "
            f"{ERROR_MAPS[config.sampling.error_maps].why}"
        ),
    ),
    (
        ("augmentation", "spacing_jitter"),
        lambda config: not config.sampling.augment,
        "with --no-augment",
    ),
    (
        ("spacing_jitter",),
        lambda config: not _augmentation(config).varies_spacing,
        lambda config: f"with --augmentation {config.sampling.augmentation}",
    ),
    (
        ("loss",),
        lambda config: bool(config.loss.loss_schedule),
        "with --loss-schedule",
    ),
    (
        ("loss_transition",),
        lambda config: len(config.loss.stages(config.training.epochs)) < 2,
        "without a --loss-schedule of two losses or more",
    ),
    (
        ("validate_every", "validate_cases", "validation_share"),
        lambda config: config.training.refit,
        "with --refit, which validates nothing",
    ),
    (
        ("validation_share",),
        lambda config: config.training.validate_every != "auto",
        "with --validate-every, which overrules it",
    ),
    (
        ("validation_share",),
        lambda config: config.training.early_stopping > 0,
        "with --early-stopping, which validates every epoch",
    ),
    (
        ("validation_share",),
        lambda config: config.optimizer.is_auto,
        "with --learning-rate auto, which validates every epoch",
    ),
    (
        ("early_stopping", "validate_cases"),
        lambda config: (
            (config.training.fixed_validate_every or 1) > config.training.epochs
        ),
        "where --validate-every is longer than the run",
    ),
    (
        _POPULATION,
        lambda config: not config.optimizer.is_auto,
        "without --learning-rate auto",
    ),
)
"""Options, when they mean nothing, and how that is said: words, or a function
of the configuration that gives them."""
