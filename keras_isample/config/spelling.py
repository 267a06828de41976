"""Options of a command line in place of the arguments that they stand for.

Errors and warnings name arguments as Python has them, in backquotes:
`epochs`, or with a value `refit=True`, `error_maps='epoch'`. A command line
shows the options that people gave: `--epochs`, `--refit`,
`--error-maps epoch`.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

_ARGUMENT = re.compile(r"`([a-z_]+)(?:=(?:'([^'`]*)'|([^'`\s]+)))?`")


def option_name(name: str) -> str:
    """The option of a setting."""
    return "--" + name.replace("_", "-")


def options_by_name(parameters: Iterable[Any]) -> dict[str, str]:
    """Names of arguments to the options of a command that set them.

    Args:
        parameters: Of click. What is no option is left out.
    """
    return {
        parameter.name: max(parameter.opts, key=len)
        for parameter in parameters
        if parameter.opts[0].startswith("-")
    }


def spelled(text: str, options: Mapping[str, str]) -> str:
    """A message with options in place of the arguments that it names.

    All else stays as it is: a path, too, unless it has such a name with the
    backquotes around it.

    Args:
        text: The message.
        options: From `options_by_name`.
    """

    def option(match):
        name, word, value = match.groups()
        if name not in options:
            return match[0]
        if value == "False":
            return "--no-" + options[name].removeprefix("--")
        if value == "True":
            return options[name]
        return " ".join(x for x in (options[name], word or value) if x)

    return _ARGUMENT.sub(option, text)
