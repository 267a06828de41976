"""What all groups of settings share: fields, checks, messages."""

import math
from dataclasses import field
from dataclasses import fields

from keras_isample.errors import InputError


def setting(default, help_text, choices=None, words=()):
    """A field of a group.

    Args:
        default: Its default.
        help_text: What its option says.
        choices: The only values that there are, if they are few.
        words: What may stand for a number, where it is one.
    """
    return field(
        default=default,
        metadata={"help": help_text, "choices": choices, "words": words},
    )


def numbers(text, name, example, kind=float, separator=","):
    """Parses as many numbers as an example has."""
    count = len(example.split(separator))
    try:
        values = tuple(kind(part) for part in text.split(separator))
    except ValueError:
        values = ()
    if len(values) != count:
        raise InputError(
            option_name(name),
            f"expects {count} numbers separated by {separator!r}, got {text!r}",
            f"Write it like {example}",
        )
    return values


def option_name(name):
    return "--" + name.replace("_", "-")


def check_range(config, name, low, high=None, *, above=False, below=None):
    value = getattr(config, name)
    good = math.isfinite(value) and (value > low if above else value >= low)
    if below is not None:
        good = good and value < below
    if not good or (high is not None and value > high):
        limits = f"{'more than' if above else 'at least'} {low:g}"
        if high is not None:
            limits += f" and at most {high:g}"
        if below is not None:
            limits += f" and less than {below:g}"
        raise InputError(
            option_name(name), f"must be {limits}, got {value:g}", "Change it"
        )


class Group:
    """Checks of choices and types that all groups share."""

    def __post_init__(self):
        for entry in fields(self):
            value = getattr(self, entry.name)
            choices = entry.metadata["choices"]
            words = entry.metadata["words"]
            if choices and value not in (*words, *choices):
                raise InputError(
                    option_name(entry.name),
                    f"{value!r} is not known",
                    f"Choose from {', '.join(map(str, (*words, *choices)))}",
                )
            if not _fits(value, entry.type, words):
                raise InputError(
                    option_name(entry.name),
                    f"expects {entry.type}, got {value!r}",
                    "Correct the value",
                )
            if entry.type.startswith("float") and isinstance(value, int):
                object.__setattr__(self, entry.name, float(value))
        self._check()

    def _check(self):
        """Checks that concern one group."""


def number_or_all(config, name):
    value = getattr(config, name)
    if value == "all":
        return None
    try:
        number = int(value)
        if number < 1:
            raise ValueError
    except ValueError:
        raise InputError(
            option_name(name),
            f"must be all or a number of at least 1, got {value!r}",
            "Correct the value",
        ) from None
    return number


def parse_bytes(source: str, text: str) -> int:
    """Bytes from a text such as `500MB` or `3GB` (powers of 1000).

    Raises:
        InputError: If it is no positive size.
    """
    cleaned = text.strip().upper()
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
    unit = next((u for u in units if cleaned.endswith(u)), "")
    factor = units.get(unit, 1)
    cleaned = cleaned.removesuffix(unit)
    try:
        size = int(float(cleaned) * factor)
    except (ValueError, OverflowError):
        size = 0
    if size < 10**6:
        raise InputError(
            source, f"is no size of at least 1MB: {text!r}", "Write it like 2GB"
        )
    return size


def _fits(value, kind, words):
    kind = kind.removesuffix(" | str")
    if words and value in words:
        return True
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool}[kind])
