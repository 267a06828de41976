"""Names of structures and the choice of classes."""

import pytest

from keras_isample.data.structures import LabelClass
from keras_isample.data.structures import choose_classes
from keras_isample.data.structures import normalize_name
from keras_isample.data.structures import split_side
from keras_isample.errors import InputError

ORGANS = ("liver", "right_kidney", "left_kidney", "urinary_bladder")
KIDNEY = LabelClass("kidney", ("right_kidney", "left_kidney"))


@pytest.mark.parametrize(
    "name", ["Left Kidney", "left-kidney", " LEFT__kidney ", "left_kidney"]
)
def test_names_are_normalized(name):
    assert normalize_name(name) == "left_kidney"


def test_side_is_split_from_either_end():
    assert split_side("left_kidney") == ("left", "kidney")
    assert split_side("kidney_left") == ("left", "kidney")
    assert split_side("right_psoas_major") == ("right", "psoas_major")


@pytest.mark.parametrize("name", ["liver", "upper_left_lobe", "kidney_l"])
def test_no_side_is_found_elsewhere(name):
    assert split_side(name) == ("", name)


def test_without_labels_every_structure_is_a_class():
    classes = choose_classes(ORGANS, None)
    assert [c.name for c in classes] == list(ORGANS)
    assert classes[1].structures == ("right_kidney",)


def test_classes_keep_the_names_in_the_data():
    (only,) = choose_classes(("Left Kidney",), None)
    assert only == LabelClass("left_kidney", ("Left Kidney",))


def test_sides_are_merged_and_paired():
    assert choose_classes(ORGANS, ["kidney"]) == (KIDNEY,)
    assert KIDNEY.paired


def test_sides_at_the_end_of_names_are_merged():
    (kidney,) = choose_classes(("kidney_left", "kidney_right"), ["Kidney"])
    assert kidney.structures == ("kidney_right", "kidney_left")
    assert kidney.paired


def test_one_side_is_not_paired():
    (left,) = choose_classes(ORGANS, ["left kidney"])
    assert left == LabelClass("left_kidney", ("left_kidney",))
    assert not left.paired


def test_side_may_stand_at_the_other_end():
    (left,) = choose_classes(ORGANS, ["kidney_left"])
    assert left == LabelClass("kidney_left", ("left_kidney",))


def test_exact_name_wins_over_merging():
    (lung,) = choose_classes(("right_lung", "left_lung", "lung"), ["lung"])
    assert lung.structures == ("lung",)


def test_order_is_that_of_the_labels():
    classes = choose_classes(ORGANS, ["kidney", "liver"])
    assert [c.name for c in classes] == ["kidney", "liver"]


@pytest.mark.parametrize(
    "label, structures",
    [
        ("bladder", ("urinary_bladder",)),
        ("thyroid", ("thyroid_gland",)),
        ("adrenal", ("right_adrenal_gland", "left_adrenal_gland")),
        ("left_adrenal", ("left_adrenal_gland",)),
        ("psoas", ("right_psoas_major", "left_psoas_major")),
        ("rectus", ("right_rectus_abdominis", "left_rectus_abdominis")),
    ],
)
def test_short_names_are_understood(label, structures):
    known = (
        "urinary_bladder",
        "thyroid_gland",
        "right_adrenal_gland",
        "left_adrenal_gland",
        "right_psoas_major",
        "left_psoas_major",
        "right_rectus_abdominis",
        "left_rectus_abdominis",
    )
    assert choose_classes(known, [label]) == (LabelClass(label, structures),)


def test_unknown_label_names_near_and_available_ones():
    with pytest.raises(InputError) as caught:
        choose_classes(ORGANS, ["kidneys"])
    assert "unknown label 'kidneys'. Did you mean kidney" in str(caught.value)
    assert "Available: liver, right_kidney, left_kidney" in str(caught.value)


def test_single_side_is_not_taken_for_both():
    with pytest.raises(InputError, match="Did you mean left_kidney"):
        choose_classes(("left_kidney",), ["kidney"])


@pytest.mark.parametrize(
    "labels", [["kidney", "left_kidney"], ["liver", "Liver"]]
)
def test_structure_asked_for_twice_is_refused(labels):
    with pytest.raises(InputError, match="asked for twice"):
        choose_classes(ORGANS, labels)


def test_labels_must_not_be_a_string():
    with pytest.raises(ValueError, match=r"Use \['kidney', 'liver'\]"):
        choose_classes(ORGANS, "kidney,liver")


def test_no_label_is_refused():
    with pytest.raises(InputError, match="no label"):
        choose_classes(ORGANS, [])


def test_structures_of_equal_names_are_refused():
    with pytest.raises(InputError, match="'liver_'.*same as 'Liver'"):
        choose_classes(("Liver", "liver_"), None)


def test_class_is_written_with_what_it_merges():
    assert str(KIDNEY) == "kidney (right_kidney + left_kidney)"
    assert str(LabelClass("liver", ("Liver",))) == "liver"


def test_no_structure_may_be_the_background():
    with pytest.raises(InputError, match="names a structure 'Background'"):
        choose_classes(("liver", "Background"), None)
