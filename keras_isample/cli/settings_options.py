"""Every setting of `config` as an option."""

from typing import Any
from typing import get_args
from typing import get_origin

import click

from keras_isample.config import FIELDS
from keras_isample.config.settings import choices_of
from keras_isample.config.settings import text_of
from keras_isample.config.settings import value_of
from keras_isample.config.spelling import option_name
from keras_isample.config.values import words_of

_KINDS = {
    str: click.STRING,
    int: click.INT,
    float: click.FLOAT,
    bool: click.BOOL,
}


class SettingType(click.ParamType):
    """Values of a setting that click has no type for.

    Args:
        name: Name of the setting.
    """

    def __init__(self, name: str):
        self._entry = FIELDS[name]
        self.name = "text"
        kind = self._entry.type
        if get_origin(kind) is not tuple and {int, float} & set(get_args(kind)):
            self.name = "|".join(("number", *words_of(kind)))

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Converts a text as a configuration does."""
        return value_of(self._entry, value)


def settings_options(command):
    """Adds them to a click command."""
    for name, entry in reversed(FIELDS.items()):
        spelling = option_name(name)
        if entry.type is bool:
            spelling += f"/{option_name(f'no_{name}')}"
        command = click.option(
            spelling,
            name,
            type=_kind(entry),
            default=None,
            help=entry.metadata["help"] + _default(entry),
        )(command)
    return command


def _kind(entry):
    """The click type of a field."""
    choices = choices_of(entry)
    if choices:
        return click.Choice(list(choices))
    return _KINDS.get(entry.type) or SettingType(entry.name)


def _default(entry):
    text = text_of(entry, entry.default)
    return f" [default: {text}]" if text else ""
