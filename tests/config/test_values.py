"""Values as annotations say."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from keras_isample.config import FIELDS
from keras_isample.config.values import as_text
from keras_isample.config.values import converted
from keras_isample.config.values import described
from keras_isample.config.values import words_of

SPACING = tuple[float, float, float] | Literal["native", "auto"]
STAGES = tuple[tuple[str, int], ...] | tuple[str, ...]


@pytest.mark.parametrize(
    "kind, value, found",
    [
        (int, "3", 3),
        (int, np.int64(3), 3),
        (float, 1, 1.0),
        (float, "1e-3", 0.001),
        (str, Path("a/b"), "a/b"),
        (bool, np.True_, True),
        (SPACING, np.array([1, 1, 1.5]), (1.0, 1.0, 1.5)),
        (tuple[str, ...], [""], ()),
        (bool, True, True),
        (str | None, "", None),
        (str | None, None, None),
        (int | None, "4", 4),
        (int | Literal["all"], "all", "all"),
        (int | Literal["all"], "2", 2),
        (SPACING, "native", "native"),
        (SPACING, "4, 4,4", (4.0, 4.0, 4.0)),
        (SPACING, [4, 4, 4.5], (4.0, 4.0, 4.5)),
        (tuple[str, ...], "a, b,", ("a", "b")),
        (tuple[str, ...], "", ()),
        (tuple[str, ...], ("a,b",), ("a,b",)),
        (tuple[float, ...], 0.1, (0.1,)),
        (STAGES, [["ce", 0], ["dice", "4"]], (("ce", 0), ("dice", 4))),
        (STAGES, ["ce", "dice"], ("ce", "dice")),
    ],
)
def test_values_get_the_type_of_their_annotation(kind, value, found):
    assert converted(kind, value) == found
    assert type(converted(kind, value)) is type(found)


@pytest.mark.parametrize(
    "kind, value",
    [
        (int, 3.0),
        (int, True),
        (int, "3.0"),
        (float, True),
        (float, None),
        (bool, 1),
        (bool, "true"),
        (str, 3),
        (str, None),
        (float, 10**400),
        (Literal["a"], "b"),
        (SPACING, "1,1"),
        (SPACING, (1, 1, 1, 1)),
        (SPACING, {"x": 1}),
        (tuple[float, ...], ""),
        (int | Literal["all"], "some"),
    ],
)
def test_other_values_are_refused(kind, value):
    with pytest.raises(ValueError):
        converted(kind, value)


def test_annotations_are_described():
    assert described(SPACING) == "3 numbers or native or auto"
    assert described(int | None) == "a whole number"
    assert described(tuple[str, ...]) == "names"


def test_words_are_those_of_the_annotation():
    assert words_of(SPACING) == ("native", "auto")
    assert words_of(float) == ()


@pytest.mark.parametrize(
    "value, text",
    [
        ((1.0, 1.0, 1.5), "1,1,1.5"),
        (("a", "b"), "a,b"),
        (0.01, "0.01"),
        (None, ""),
        ((), ""),
    ],
)
def test_values_are_written_as_they_are_read(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_defaults_are_of_their_type(name):
    entry = FIELDS[name]
    found = converted(entry.type, entry.default)
    assert found == entry.default
    assert type(found) is type(entry.default)
