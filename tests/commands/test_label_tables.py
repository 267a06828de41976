import json

import pytest

from keras_isample.commands.label_tables import check_label_tables
from keras_isample.commands.label_tables import label_colors
from keras_isample.commands.label_tables import write_label_tables
from keras_isample.errors import InputError

NAMES = ["background", "kidney", "psoas major", "liver"]


@pytest.mark.parametrize("number", [0, 1, 10, 30])
def test_colors_are_distinct(number):
    colors = label_colors(number)
    assert len(set(colors)) == number
    assert all(0 <= part <= 255 for color in colors for part in color)


def test_slicer_reads_numbers_names_and_colors(tmp_path):
    write_label_tables(tmp_path, NAMES)
    lines = (tmp_path / "labels.ctbl").read_text().splitlines()
    assert lines[0] == "# Color table file"
    rows = [line.split() for line in lines[1:]]
    assert [len(row) for row in rows] == [6] * 4
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert [row[1] for row in rows] == [
        "background",
        "kidney",
        "psoas_major",
        "liver",
    ]
    assert rows[0][2:] == ["0", "0", "0", "0"]
    assert {row[5] for row in rows[1:]} == {"255"}


def test_snap_reads_numbers_names_and_colors(tmp_path):
    write_label_tables(tmp_path, NAMES)
    lines = (tmp_path / "labels.txt").read_text().splitlines()
    assert len(lines) == 4
    assert lines[0] == '0 0 0 0 0 0 0 "background"'
    numbers, name, _ = lines[2].split('"')
    assert name == "psoas major"
    assert len(numbers.split()) == 7
    assert numbers.split()[4:] == ["1", "1", "1"]


def test_both_programs_show_the_same_colors(tmp_path):
    write_label_tables(tmp_path, NAMES)
    slicer = (tmp_path / "labels.ctbl").read_text().splitlines()[2:]
    snap = (tmp_path / "labels.txt").read_text().splitlines()[1:]
    assert [row.split()[2:5] for row in slicer] == [
        row.split()[1:4] for row in snap
    ]


def test_programs_read_numbers_by_name(tmp_path):
    write_label_tables(tmp_path, NAMES)
    assert json.loads((tmp_path / "labels.json").read_text()) == {
        "background": 0,
        "kidney": 1,
        "psoas major": 2,
        "liver": 3,
    }


def test_other_tables_in_the_folder_are_not_replaced(tmp_path):
    write_label_tables(tmp_path, ["background", "liver"])
    check_label_tables(tmp_path, ["background", "liver"])
    with pytest.raises(InputError, match="with other contents"):
        check_label_tables(tmp_path, ["background", "kidney"])


def test_tables_of_another_run_may_be_replaced(tmp_path):
    write_label_tables(tmp_path, NAMES)
    others = ["background", "liver"]
    with pytest.raises(InputError, match="`overwrite=True`"):
        check_label_tables(tmp_path, others)
    check_label_tables(tmp_path, others, overwrite=True)


@pytest.mark.parametrize("name", ["labels.json", "labels.txt", "labels.ctbl"])
@pytest.mark.parametrize("text", ["", "[1]", "mine", '{"liver": 1}'])
def test_tables_of_users_are_never_replaced(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name) as error:
        check_label_tables(tmp_path, NAMES, overwrite=True)
    assert "`overwrite=True`" not in str(error.value)


@pytest.mark.parametrize("name", ["dataset.json", "cases.csv", "images/a.nii"])
def test_tables_of_a_data_set_are_never_replaced(tmp_path, name):
    write_label_tables(tmp_path, NAMES)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    check_label_tables(tmp_path, NAMES)
    with pytest.raises(InputError, match="with other contents"):
        check_label_tables(tmp_path, ["background", "spleen"], overwrite=True)


def test_organ_called_background_does_not_hide_the_background(tmp_path):
    write_label_tables(tmp_path, ["background", "background", "liver"])
    numbers = json.loads((tmp_path / "labels.json").read_text())
    assert numbers == {"background": 0, "background_1": 1, "liver": 2}
