"""Every setting of `config` as an option."""

from dataclasses import fields

import click

from keras_isample.config import GROUPS


class _Rate(click.ParamType):
    """A number, or `auto`."""

    name = "number|auto"

    def convert(self, value, param, ctx):
        if value == "auto":
            return value
        return click.FLOAT.convert(value, param, ctx)


class _Size(click.ParamType):
    """A whole number, or `auto` or `full`."""

    name = "number|auto|full"

    def convert(self, value, param, ctx):
        if value in ("auto", "full"):
            return value
        return click.INT.convert(value, param, ctx)


_KINDS = {
    "str": str,
    "int": int,
    "int | str": _Size(),
    "float": float,
    "bool": bool,
    "float | str": _Rate(),
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
