"""Training cases where a chosen structure has no mask."""

import dataclasses
from pathlib import Path

import pytest

from keras_isample.data.cohort import Case
from keras_isample.data.cohort import Cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.structures import choose_classes
from keras_isample.errors import InputError


@pytest.fixture
def cohort():
    structures = {"liver": 1, "spleen": 1}
    whole = {name: Path(f"{name}.nii") for name in structures}
    half = {"liver": Path("l.nii")}
    return Cohort(
        path=Path("d"),
        layout="test",
        cases=(
            Case("a", (Path("a.nii"),), masks=whole),
            Case("b", (Path("b.nii"),), masks=half),
        ),
        structures=structures,
        classes=choose_classes(tuple(structures), None),
        channel_names=("CT",),
    )


@pytest.fixture
def halves():
    """Kidneys of two masks: both, both without liver, and the left alone."""
    structures = {"liver": 1, "left_kidney": 1, "right_kidney": 1}
    masks = {
        "a": structures,
        "b": ("left_kidney", "right_kidney"),
        "c": ("left_kidney",),
    }
    return Cohort(
        path=Path("d"),
        layout="test",
        cases=tuple(
            Case(name, (Path("i"),), masks=dict.fromkeys(given, Path("m")))
            for name, given in masks.items()
        ),
        structures=structures,
        classes=choose_classes(tuple(structures), ["liver", "kidney"]),
        channel_names=("CT",),
    )


def names(cohort):
    return [case.name for case in cohort.cases]


def test_merge_is_the_default_keeps_the_case_and_says_so(cohort):
    assert cohort.partial == "merge"
    kept, (note,) = training_cases(cohort)
    assert names(kept) == ["a", "b"]
    assert note == (
        "b: spleen not annotated: counts as one class with the background "
        "(`partial='merge'`)"
    )


def test_merge_leaves_out_a_case_that_teaches_nothing(halves):
    kept, notes = training_cases(halves)
    assert names(kept) == ["a", "b"]
    assert notes[1] == (
        "c: liver, kidney not annotated: nothing to learn, left out of "
        "training (`partial='merge'`)"
    )


def test_several_classes_count_as_one_with_the_background(halves):
    spleen = choose_classes(("spleen",), None)
    cohort = dataclasses.replace(halves, classes=(*halves.classes, *spleen))
    whole = {s: Path("m") for c in cohort.classes for s in c.structures}
    first = dataclasses.replace(cohort.cases[0], masks=whole)
    cohort = dataclasses.replace(cohort, cases=(first, cohort.cases[1]))
    _, (note,) = training_cases(cohort)
    assert note.startswith("b: liver, spleen not annotated: count as one")


def test_merge_refuses_a_class_that_no_case_could_teach(halves):
    """Nothing would keep the network from calling the background so."""
    with pytest.raises(InputError, match="with all of liver annotated"):
        training_cases(halves.subset(["b"]))


def test_merge_of_cases_that_teach_nothing_leaves_none(halves):
    with pytest.raises(InputError, match="no case to train on"):
        training_cases(halves.subset(["c"]))


def test_exclude_leaves_the_case_out_and_says_so(cohort):
    cohort = dataclasses.replace(cohort, partial="exclude")
    kept, (note,) = training_cases(cohort)
    assert names(kept) == ["a"]
    assert note == (
        "b: spleen not annotated: left out of training (`partial='exclude'`)"
    )


def test_background_keeps_the_case_and_says_so(cohort):
    cohort = dataclasses.replace(cohort, partial="background")
    kept, (note,) = training_cases(cohort)
    assert names(kept) == ["a", "b"]
    assert "taken as background (`partial='background'`)" in note


def test_background_keeps_a_case_of_half_a_class(halves):
    cohort = dataclasses.replace(halves, partial="background")
    assert names(training_cases(cohort.subset(["c"]))[0]) == ["c"]


@pytest.mark.parametrize("partial", ["merge", "exclude", "background"])
def test_wholly_annotated_cases_are_kept_without_a_word(cohort, partial):
    cohort = dataclasses.replace(cohort.subset(["a"]), partial=partial)
    assert training_cases(cohort) == (cohort, ())


def test_nothing_left_is_an_error(cohort):
    cohort = dataclasses.replace(cohort.subset(["b"]), partial="exclude")
    with pytest.raises(InputError, match="no case to train on.*`partial`"):
        training_cases(cohort)
