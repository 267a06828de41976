import json

import pytest

from keras_isample.data.cohort import Cohort
from keras_isample.data.preprocessing import Preprocessing
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
