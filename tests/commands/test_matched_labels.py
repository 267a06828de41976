"""Values of two folders become labels of one numbering."""

import json
import logging

import pytest

from keras_isample.commands.matched_labels import match_labels
from keras_isample.errors import InputError


@pytest.fixture
def match(tmp_path):
    """Function: matches references and predictions, each named or not."""

    def write(folder, name, numbers):
        folder.mkdir(exist_ok=True)
        if name == "dataset.json":
            numbers = {"labels": {"background": 0, **numbers}}
        (folder / name).write_text(json.dumps(numbers))

    def match(
        theirs=None,
        ours=None,
        in_references=(),
        in_predictions=(),
        table="labels.json",
    ):
        if theirs:
            write(tmp_path / "ref", "dataset.json", theirs)
        if ours:
            write(tmp_path / "pred", table, ours)
        return match_labels(
            tmp_path / "ref",
            tmp_path / "pred",
            set(in_references),
            set(in_predictions),
        )

    return match


def test_equal_numbers_are_no_news(match, caplog):
    caplog.set_level(logging.INFO)
    found = match({"liver": 1, "spleen": 4}, {"Liver": 1, "Spleen": 4})
    assert found.names == {1: "Liver", 4: "Spleen"}
    assert found.reference == found.prediction == {1: 1, 4: 4}
    assert caplog.text == ""


@pytest.mark.parametrize("table", ["labels.json", "dataset.json"])
def test_names_decide(match, table):
    theirs = {"a": 1, "b": 2, "c": 9}
    found = match(theirs, {"c": 1, "a": 2, "b": 3}, table=table)
    assert found.names == {1: "c", 2: "a", 3: "b"}
    assert found.reference == {1: 2, 2: 3, 9: 1}


def test_number_of_a_label_that_only_references_name_is_no_news(match, caplog):
    found = match({"liver": 1, "lung": 2, "spleen": 3}, {"liver": 1})
    assert found.reference == {1: 1, 2: 0, 3: 0}
    assert found.names == {1: "liver"}
    assert "lung, spleen: not named by the predictions" in caplog.text
    assert "differently" not in caplog.text


def test_each_side_with_a_label_of_its_own_is_refused(match):
    with pytest.raises(InputError, match="has lung, which .* have spleen"):
        match({"liver": 1, "lung": 2}, {"liver": 1, "spleen": 2})


def test_signs_at_the_end_count(match):
    found = match({"tumor+": 1, "tumor-": 2}, {"Tumor-": 1, "Tumor+": 2})
    assert found.reference == {1: 2, 2: 1}
    with pytest.raises(InputError, match="tumor-"):
        match({"tumor+": 1, "cyst": 2}, {"tumor-": 1, "cyst": 2})


def test_names_that_are_nearly_the_same_are_refused(match):
    with pytest.raises(InputError, match="two labels of nearly the same name"):
        match({"left kidney": 1, "left_kidney": 2}, {"left kidney": 1})


def test_values_in_names_are_found_in_named_references(match):
    ours = {"background": 0, "label_300": 1, "label_10": 2}
    found = match({"liver": 10, "spleen": 300}, ours)
    assert found.names == {1: "spleen", 2: "liver"}
    assert found.reference == {10: 2, 300: 1}


def test_values_in_names_are_found_in_nameless_references(match, caplog):
    ours = {"background": 0, "label_300": 1, "label_10": 2}
    found = match(None, ours, in_references={1, 10, 300})
    assert found.reference == {10: 2, 300: 1, 1: 0}
    assert "1 in the references: no class of the predictions" in caplog.text


def test_references_with_numbers_of_labels_are_taken_so(match):
    ours = {"background": 0, "label_300": 1, "label_10": 2}
    found = match(None, ours, in_references={1, 2})
    assert found.reference == {1: 1, 2: 2}


def test_values_that_can_be_read_in_two_ways_are_refused(match):
    ours = {"background": 0, "label_2": 1, "label_3": 2}
    with pytest.raises(InputError, match="1, 2, which may be numbers"):
        match(None, ours, in_references={1, 2})
    found = match({"liver": 2, "spleen": 3}, ours, in_references={2, 3})
    assert found.reference == {2: 1, 3: 2}


def test_without_names_the_values_found_are_labels(match):
    found = match(in_references={3, 70}, in_predictions={3, 5})
    assert found.names == {3: "label_3", 5: "label_5", 70: "label_70"}
    assert found.reference == {3: 3, 5: 5, 70: 70}


@pytest.mark.parametrize("numbers", [{}, {"background": 0}])
def test_tables_without_a_label_are_refused(tmp_path, match, numbers):
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/labels.json").write_text(json.dumps(numbers))
    with pytest.raises(InputError, match="a number of its own"):
        match({"liver": 1})


def test_the_folder_above_is_hidden_by_a_table_in_it(tmp_path, match):
    above = {"labels": {"background": 0, "x": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(above))
    assert match(ours={"x": 5}).reference == {1: 5}
    assert match({"x": 7}).reference == {7: 5}
