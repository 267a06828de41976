"""Every setting of `config` as an option."""

from dataclasses import fields

import click

from keras_isample.config import GROUPS


class _NumberOr(click.ParamType):
    """A number, or one of some words."""

    def __init__(self, kind, words):
        self.kind = kind
        self.words = words
        self.name = "|".join(("number", *words))

    def convert(self, value, param, ctx):
        if value in self.words:
            return value
        return self.kind.convert(value, param, ctx)


_KINDS = {
    "str": click.STRING,
    "int": click.INT,
    "float": click.FLOAT,
    "bool": click.BOOL,
}


def _kind(entry):
    """The click type of a field."""
    if entry.metadata["choices"]:
        known = (*entry.metadata["words"], *entry.metadata["choices"])
        return click.Choice(known)
    kind = _KINDS[entry.type.removesuffix(" | str")]
    words = entry.metadata["words"]
    return _NumberOr(kind, words) if words else kind


def settings_options(command):
    """Adds them to a click command."""
    for group in reversed(GROUPS.values()):
        for entry in reversed(fields(group)):
            name = "--" + entry.name.replace("_", "-")
            if entry.type == "bool":
                name += f"/--no-{entry.name.replace('_', '-')}"
            shown = (
                f" [default: {entry.default}]" if entry.default != "" else ""
            )
            command = click.option(
                name,
                entry.name,
                type=_kind(entry),
                default=None,
                help=entry.metadata["help"] + shown,
            )(command)
    return command
