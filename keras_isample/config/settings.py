"""What all groups of settings share: fields, and the check of their values."""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import fields
from typing import Any
from typing import Literal
from typing import get_args
from typing import get_origin

from keras_isample.config.values import as_text
from keras_isample.config.values import converted
from keras_isample.config.values import described
from keras_isample.errors import InputError


@dataclass(frozen=True)
class Form:
    """How the values of a setting are written as text.

    Attributes:
        read: Function from a text to a value that `converted` takes.
        write: The reverse.
        expects: What is written, in words; by default what `described` says.
        cure: What to do about a value that does not fit.
    """

    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = as_text
    expects: str | None = None
    cure: str = "Correct the value"


@dataclass(frozen=True)
class Limits:
    """The range of a number, or of each number of a tuple.

    Attributes:
        at_least, more_than: Its lower end, with or without that number.
        at_most, less_than: Its upper end, likewise.
    """

    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    less_than: float | None = None

    def allow(self, number: float) -> bool:
        """Whether a number is finite and within the limits."""
        if isinstance(number, float) and not math.isfinite(number):
            return False
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.more_than is None or number > self.more_than)
            and (self.at_most is None or number <= self.at_most)
            and (self.less_than is None or number < self.less_than)
        )

    def describe(self, write: Callable[[Any], str] = str) -> str:
        """The limits in words.

        Args:
            write: Function from a number to its text.
        """
        return " and ".join(
            f"{entry.name.replace('_', ' ')} {write(limit)}"
            for entry in fields(self)
            if (limit := getattr(self, entry.name)) is not None
        )


def setting(
    default: Any,
    help_text: str,
    *,
    choices: Collection[str] | None = None,
    form: Form | None = None,
    **limits: float,
) -> Any:
    """A field of a group.

    Args:
        default: Its default. An empty tuple is a value only where it is the
            default.
        help_text: What its option says.
        choices: The only texts that are known, where the annotation does not
            name them.
        form: How it is written as text.
        limits: See `Limits`.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help_text,
            "choices": choices,
            "form": form or Form(),
            "limits": Limits(**limits) if limits else None,
        },
    )


def choices_of(entry: dataclasses.Field) -> Collection[str] | None:
    """The only texts that a field may have; `None` if others may be written.

    Args:
        entry: A field that `setting` made.
    """
    if get_origin(entry.type) is Literal:
        return get_args(entry.type)
    return entry.metadata["choices"]


def value_of(entry: dataclasses.Field, value: Any) -> Any:
    """A value of a field, checked and converted to what its annotation says.

    Args:
        entry: A field that `setting` made.
        value: What was given, see `values`.

    Raises:
        InputError: If the field cannot have this value.
    """
    form, choices = entry.metadata["form"], choices_of(entry)
    is_list = isinstance(value, list | tuple) and form.read is not str
    if is_list and all(isinstance(p, str) and ":" in p for p in value):
        # Texts with parts of their own, as in `["wce:0", "wdice:40"]`.
        value = ",".join(value)
    try:
        read = form.read(value) if isinstance(value, str) and value else value
        found = converted(entry.type, read)
    except ValueError:
        if choices:
            raise _unknown(entry, value) from None
        wanted = form.expects or described(entry.type)
        raise refusal(entry, f"expects {wanted}, got {value!r}") from None
    if choices and found not in choices:
        raise _unknown(entry, value)
    if found == () and entry.default != ():
        raise refusal(entry, "must not be empty")
    limits = entry.metadata["limits"]
    parts = found if isinstance(found, tuple) else (found,)
    numbers = [part for part in parts if isinstance(part, int | float)]
    if limits and not all(map(limits.allow, numbers)):
        write = form.write
        raise refusal(
            entry, f"must be {limits.describe(write)}, got {write(found)}"
        )
    return found


def refusal(entry: dataclasses.Field, problem: str) -> InputError:
    """The error of a field that has no good value.

    Args:
        entry: The field.
        problem: What is wrong.
    """
    cure = entry.metadata["form"].cure
    return InputError(f"`{entry.name}`", problem, cure)


def text_of(entry: dataclasses.Field, value: Any) -> str:
    """A value of a field as it is written on the command line.

    Args:
        entry: A field that `setting` made.
        value: What `value_of` returned.
    """
    return entry.metadata["form"].write(value)


class Group:
    """Some settings, of which each is checked and converted by itself.

    What two settings mean for each other stands in `conflicts`.
    """

    def __post_init__(self):
        for entry in fields(self):
            value = value_of(entry, getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)
        self._check()

    def _check(self):
        """Checks that neither annotations nor limits can say."""

    def _refusal(self, name, problem):
        """The error of a setting of this group, see `refusal`."""
        return refusal(self.__dataclass_fields__[name], problem)


def _unknown(entry, value):
    known = ", ".join(choices_of(entry))
    return InputError(
        f"`{entry.name}`", f"{value!r} is not known", f"Choose from {known}"
    )
