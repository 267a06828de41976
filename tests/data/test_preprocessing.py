import dataclasses
import json

import numpy as np
import pytest

from keras_isample.data.cohort import Cohort
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.data.preprocessing import multifocal_cases
from keras_isample.data.structures import LabelClass

KIDNEY = LabelClass("kidney", ("right_kidney", "left_kidney"))
LIVER = LabelClass("liver", ("liver",))


def cohort(**settings):
    return Cohort(
        path="scans",
        layout="test",
        cases=(),
        structures={"liver": 1, "right_kidney": 2, "left_kidney": 3},
        classes=(LIVER, KIDNEY),
        channel_names=("CT",),
        **settings,
    )


def test_facts_come_from_the_cohort():
    facts = Preprocessing.of(cohort(spacing=(2, 2, 3), intensity="zscore"))
    assert facts == Preprocessing(
        spacing=(2.0, 2.0, 3.0),
        intensity="zscore",
        class_names=("background", "liver", "kidney"),
        paired=(2,),
        channel_names=("CT",),
    )


@pytest.mark.parametrize("spacing", [(1, 1, 1.5), None])
def test_facts_survive_json(spacing):
    facts = Preprocessing.of(cohort(spacing=spacing))
    metadata = {"preprocessing": json.loads(json.dumps(facts.as_metadata()))}
    assert Preprocessing.from_metadata(metadata) == facts


@pytest.mark.parametrize("metadata", [None, {}, {"num_classes": 2}])
def test_without_metadata_the_papers_settings_count(metadata):
    facts = Preprocessing.from_metadata(metadata)
    assert facts.spacing == (1, 1, 1.5)
    assert facts.intensity == "ct"


def test_merged_pairs_keep_two_components():
    assert Preprocessing.of(cohort()).kept_components() == {2: 2}


@pytest.fixture
def make_cases(make_case):
    """Function from sizes of components of classes 1 and 2 to cases."""

    def make(*cases):
        return [
            dataclasses.replace(
                make_case(np.zeros((4, 5, 6)), name=f"case{i}", num_classes=3),
                counts=(100, *(sum(sizes) for sizes in classes)),
                components=((), *(tuple(s[:2]) for s in classes)),
            )
            for i, classes in enumerate(cases)
        ]

    return make


def whole(cases):
    return Preprocessing.of(cohort(), cases).whole


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ([100], ()),
        ([80, 20], (1,)),
        ([81, 19], ()),
        # Of many small lesions none has a fifth, and all but one would go.
        ([10] * 10, (1,)),
        ([90] + [1] * 10, ()),
        ([2, 1], (1,)),
    ],
)
def test_class_in_several_places_is_left_whole(make_cases, sizes, expected):
    assert whole(make_cases([sizes, []])) == expected


@pytest.mark.parametrize(
    "sizes, expected",
    [([50, 50], ()), ([50, 31, 19], ()), ([40, 40, 20], (2,))],
)
def test_pair_is_judged_on_what_is_beyond_two(make_cases, sizes, expected):
    assert whole(make_cases([[9], sizes])) == expected


@pytest.mark.parametrize("others, expected", [(9, (1,)), (10, ())])
def test_a_tenth_of_the_cases_that_hold_a_class_decides(
    make_cases, others, expected
):
    cases = [[[5, 5], [9]], *[[[9], [9]]] * others, *[[[], [9]]] * 5]
    assert whole(make_cases(*cases)) == expected


def test_class_that_was_not_annotated_is_not_counted(make_cases):
    (case,) = make_cases([[5, 5], []])
    case = dataclasses.replace(case, missing=(1,))
    assert multifocal_cases([case]) == {}


def test_classes_left_whole_keep_all_components(make_cases):
    facts = Preprocessing.of(cohort(), make_cases([[5, 5], [4, 4]]))
    assert facts.kept_components() == {1: None, 2: 2}
    metadata = {"preprocessing": json.loads(json.dumps(facts.as_metadata()))}
    assert Preprocessing.from_metadata(metadata) == facts


def test_older_models_keep_what_they_kept():
    older = {"paired": [2], "class_names": ["background", "liver", "kidney"]}
    facts = Preprocessing.from_metadata({"preprocessing": older})
    assert facts.kept_components() == {2: 2}
    assert facts.smallest == ()


def test_fewest_voxels_are_those_of_each_axis(make_cases):
    cases = make_cases([[9], [9]], [[9], [9]])
    cases[1] = dataclasses.replace(cases[1], shape=(9, 3, 6))
    assert Preprocessing.of(cohort(), cases).smallest == (4, 3, 6)
