"""Options that mean nothing beside the other settings of a run."""

from collections.abc import Mapping
from typing import Any

from keras_isample.config import Config
from keras_isample.config.conflicts import without_effect
from keras_isample.errors import InputError


def refuse_unused(config: Config, chosen: Mapping[str, Any]) -> None:
    """Refuses an option that was given and changes nothing.

    Settings in files and presets are left alone: they may be meant for runs
    that do use them.

    Args:
        config: The `Config` that the options are part of.
        chosen: Settings given as options.

    Raises:
        InputError: Naming the option and what makes it void.
    """
    # A flag that is off asks for nothing, and a bound that is none.
    asked = [
        name
        for name, value in chosen.items()
        if value is not None and value is not False and value != "none"
    ]
    found = without_effect(config, asked)
    if found:
        name, because = found
        raise InputError(f"`{name}`", f"has no effect {because}", "Remove it")
