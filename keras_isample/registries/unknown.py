"""Names in the settings of a run that this process does not know.

A run that was trained with a network or a loss from elsewhere can be read,
predicted with and evaluated without them: its model is in its file. Only
training needs what makes them.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from keras_isample.errors import InputError
from keras_isample.registries.augmentations import AUGMENTATIONS
from keras_isample.registries.augmentations import AugmentationSpec
from keras_isample.registries.error_maps import ERROR_MAPS
from keras_isample.registries.error_maps import ErrorMapsSpec
from keras_isample.registries.executors import EXECUTORS
from keras_isample.registries.losses import LOSSES
from keras_isample.registries.losses import LossSpec
from keras_isample.registries.networks import NETWORKS
from keras_isample.registries.networks import NetworkSpec


def accept_unknown(settings: Mapping[str, Any]) -> None:
    """Registers entries that say what is missing when they are used.

    Args:
        settings: Those of a run.
    """
    losses = [settings.get("loss"), *_scheduled(settings)]
    for registry, make_entry, chosen in (
        (NETWORKS, NetworkSpec, [settings.get("network")]),
        (LOSSES, _loss, losses),
        (AUGMENTATIONS, AugmentationSpec, [settings.get("augmentation")]),
        (ERROR_MAPS, _error_maps, [settings.get("error_maps")]),
        (EXECUTORS, _executor, [settings.get("executor")]),
    ):
        for name in chosen:
            if isinstance(name, str) and name and name not in registry:
                missing = _missing(registry.kind, name)
                registry.register(name, make_entry(missing))


def _loss(missing: Callable[..., Any]) -> LossSpec:
    return LossSpec(missing, ("class_weights",))


def _error_maps(missing: Callable[..., Any]) -> ErrorMapsSpec:
    return ErrorMapsSpec(missing, has_share=True, chooses_cases=False)


def _executor(missing: Callable[..., Any]) -> Callable[..., Any]:
    return missing


def _scheduled(settings: Mapping[str, Any]) -> list[str]:
    """Names in a schedule: a text, or a list of names or of pairs."""
    schedule = settings.get("loss_schedule") or ()
    if isinstance(schedule, str):
        schedule = schedule.split("->" if "->" in schedule else ",")
    if not isinstance(schedule, list | tuple):
        return []
    names = [s[0] if isinstance(s, list | tuple) and s else s for s in schedule]
    names = [name for name in names if isinstance(name, str)]
    return [name.partition(":")[0].strip() for name in names]


def _missing(kind: str, name: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise InputError(
            name,
            f"is the name of a {kind} that this program does not know",
            "Train in the program that registers it",
        )

    return make
