"""Every setting of `config` as an option."""

from dataclasses import fields

import click

from keras_isample.config import GROUPS


class _NumberOr(click.ParamType):
    """A number, or one of some words."""

    def __init__(self, kind, *words):
        self.kind = kind
        self.words = words
        self.name = "|".join(("number", *words))

    def convert(self, value, param, ctx):
        if value in self.words:
            return value
        return self.kind.convert(value, param, ctx)


_KINDS = {
    "str": str,
    "int": int,
    "int | str": _NumberOr(click.INT, "auto", "full"),
    "int | auto": _NumberOr(click.INT, "auto"),
    "float": float,
    "bool": bool,
    "float | str": _NumberOr(click.FLOAT, "auto"),
    "float | none": _NumberOr(click.FLOAT, "none"),
}


def settings_options(command):
    """Adds them to a click command."""
    for group in reversed(GROUPS.values()):
        for entry in reversed(fields(group)):
            name = "--" + entry.name.replace("_", "-")
            if entry.type == "bool":
                name += f"/--no-{entry.name.replace('_', '-')}"
            choices = entry.metadata["choices"]
            shown = (
                f" [default: {entry.default}]" if entry.default != "" else ""
            )
            command = click.option(
                name,
                entry.name,
                type=click.Choice(choices) if choices else _KINDS[entry.type],
                default=None,
                help=entry.metadata["help"] + shown,
            )(command)
    return command
