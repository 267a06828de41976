"""Values of settings, as the annotations of their fields say.

A value comes from Python, from a TOML or JSON file (which has lists, and no
`None`), or as text from the command line or from a file of an older version.
"""

import os
from numbers import Integral
from numbers import Real
from types import NoneType
from types import UnionType
from typing import Any
from typing import Literal
from typing import Union
from typing import get_args
from typing import get_origin


def converted(kind: Any, value: Any) -> Any:
    """A value of the kind that an annotation asks for.

    Whole numbers may stand for any, lists for tuples, and a single number for
    a tuple of one. Text is read: `"4"` as a number, `"1,1,1.5"` as a tuple,
    and `""` as `None` or as an empty tuple of texts.

    Args:
        kind: `bool`, `int`, `float`, `str`, a `Literal` of words, or a tuple
            or union of such kinds. Of a union the first one that fits counts,
            and `None` before all.
        value: The value.

    Raises:
        ValueError: If the value does not fit.
    """
    if hasattr(value, "tolist"):
        # Of NumPy.
        value = value.tolist()
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _one_of(parts, value)
    if origin is tuple:
        return _sequence(parts, value)
    if origin is Literal:
        if isinstance(value, str) and value in parts:
            return value
        raise ValueError(f"{value!r} is none of {parts}")
    return _SINGLE[kind](value)


def described(kind: Any) -> str:
    """What an annotation asks for, in words.

    Args:
        kind: As of `converted`.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(described(p) for p in parts if p is not NoneType)
    if origin is Literal:
        return " or ".join(parts)
    if origin is tuple:
        things = _PLURALS[parts[0]]
        return things if parts[-1] is ... else f"{len(parts)} {things}"
    return _WORDS[kind]


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that an annotation names, such as `"auto"`.

    Args:
        kind: As of `converted`.
    """
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return tuple(w for part in get_args(kind) for w in words_of(part))
    return ()


def as_text(value: Any) -> str:
    """A value as it is written on the command line.

    Args:
        value: What `converted` returned.
    """
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(
            as_text(part).removesuffix(".0")
            if isinstance(part, float)
            else as_text(part)
            for part in value
        )
    return str(value)


def _one_of(kinds, value):
    is_empty = value is None or (isinstance(value, str) and not value)
    if is_empty and NoneType in kinds:
        return None
    for kind in kinds:
        if kind is not NoneType:
            try:
                return converted(kind, value)
            except ValueError:
                continue
    raise ValueError(f"{value!r} is none of {kinds}")


def _sequence(kinds, value):
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
        if kinds == (str, ...):
            value = [part for part in value if part]
    elif isinstance(value, Real):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list")
    if kinds == (str, ...) and not any(part != "" for part in value):
        value = []
    if kinds[-1] is ...:
        kinds = kinds[:1] * len(value)
    # A wrong number of parts is a `ValueError`, too.
    pairs = zip(kinds, value, strict=True)
    return tuple(converted(kind, part) for kind, part in pairs)


def _flag(value):
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is neither true nor false")


def _whole_number(value):
    if isinstance(value, str):
        return int(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise ValueError(f"{value!r} is no whole number")


def _number(value):
    if isinstance(value, str | Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError(f"{value!r} is too large") from error
    raise ValueError(f"{value!r} is no number")


def _text(value):
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise ValueError(f"{value!r} is no text")


_SINGLE = {bool: _flag, int: _whole_number, float: _number, str: _text}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}
_PLURALS = {int: "whole numbers", float: "numbers", str: "names"}
