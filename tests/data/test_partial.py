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


def test_exclude_leaves_the_case_out_and_says_so(cohort):
    kept, (note,) = training_cases(cohort)
    assert [case.name for case in kept.cases] == ["a"]
    assert note.startswith("b: spleen not annotated: left out")


def test_background_keeps_the_case_and_says_so(cohort):
    cohort = dataclasses.replace(cohort, partial="background")
    kept, (note,) = training_cases(cohort)
    assert len(kept.cases) == 2
    assert "as background" in note


def test_nothing_left_is_an_error(cohort):
    with pytest.raises(InputError, match="no case to train on"):
        training_cases(cohort.subset(["b"]))
