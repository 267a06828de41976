"""What was found in a data set, in a few lines for the user."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable

from keras_isample.data.layout import count

_WIDTH = 80
_MOST_NAMELESS = 30


def describe(cohort) -> str:
    """Layout, cases, classes, split and notes.

    Args:
        cohort: A `Cohort`.

    Returns:
        A few lines of at most 80 characters where words allow.
    """
    lines = [
        f"{cohort.layout} at {str(cohort.path).rstrip('/')}/: "
        f"{count(len(cohort.cases), 'case')}, "
        f"{count(len(cohort.channel_names), 'channel')} "
        f"({', '.join(cohort.channel_names)})",
        _wrap(f"classes: {_classes(cohort)}"),
        _split(cohort),
    ]
    lacking = Counter(
        name for case in cohort.cases for name in cohort.missing(case)
    )
    if lacking:
        lines.append(_wrap(f"not annotated: {_lacking(lacking.items())}"))
    lines += [_wrap(f"note: {note}") for note in cohort.notes]
    return "\n".join(lines)


def _classes(cohort) -> str:
    names = [c.name for c in cohort.classes]
    nameless = all(re.fullmatch(r"label_\d+", name) for name in names)
    if nameless and len(names) > _MOST_NAMELESS:
        return f"{len(names)} without names, {names[0]} to {names[-1]}"
    named = enumerate(["background", *cohort.classes])
    # No line is broken between an index and its name.
    return ", ".join(
        f"{index}\N{NO-BREAK SPACE}{name}" for index, name in named
    )


def _split(cohort) -> str:
    if not cohort.given_split:
        return "split: not given by the data"
    sizes = Counter(cohort.given_split.values())
    parts = (f"{sizes[p]} {p}" for p in ("train", "validation", "test"))
    return f"split by the data: {', '.join(parts)}"


def _lacking(numbers: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} in {count(n, 'case')}" for name, n in numbers)


def _wrap(line: str) -> str:
    filled = textwrap.fill(
        line,
        _WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace("\N{NO-BREAK SPACE}", " ")
