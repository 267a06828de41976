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
    for registry, kind, chosen in (
        (NETWORKS, NetworkSpec, [settings.get("network")]),
        (LOSSES, LossSpec, losses),
        (AUGMENTATIONS, AugmentationSpec, [settings.get("augmentation")]),
        (ERROR_MAPS, ErrorMapsSpec, [settings.get("error_maps")]),
    ):
        for name in chosen:
            if name and name not in registry:
                known = {"weighted": ("class_weights",)}
                options = known if kind is LossSpec else {}
                missing = _missing(registry.kind, name)
                registry.register(name, kind(missing, **options))


def _scheduled(settings: Mapping[str, Any]) -> list[str]:
    """Names in a schedule: a text, or a list of names or of pairs."""
    schedule = settings.get("loss_schedule") or ()
    if isinstance(schedule, str):
        schedule = schedule.split("->" if "->" in schedule else ",")
    names = [s if isinstance(s, str) else s[0] for s in schedule]
    return [name.partition(":")[0].strip() for name in names]


def _missing(kind: str, name: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise InputError(
            name,
            f"is the name of a {kind} that this program does not know",
            "Train in the program that registers it",
        )

    return make
