"""Images and labels in two folders."""

import json

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data import label_values as values_module
from keras_isample.data.case_table import read_case_table
from keras_isample.data.folders import read
from keras_isample.data.recognition import recognize
from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_label_map

LABELS = {"labels": {"background": 0, "liver": 1}}


def touch(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(root, *names, dataset=LABELS):
    for name in names:
        touch(root, f"images/{name}.nii.gz", f"labels/{name}.nii.gz")
    (root / "dataset.json").write_text(json.dumps(dataset))


def write_table(root, *lines, header="case,image,label,split"):
    (root / "cases.csv").write_text("\n".join([header, *lines]) + "\n")


def row(name, split):
    return f"{name},images/{name}.nii.gz,labels/{name}.nii.gz,{split}"


def test_equal_names_are_cases(tmp_path):
    write(tmp_path, "b", "a")
    layout = read(tmp_path, "")
    assert [case.name for case in layout.cases] == ["a", "b"]
    assert layout.structures == {"liver": 1}
    assert layout.cases[0].files() == (
        tmp_path / "images/a.nii.gz",
        tmp_path / "labels/a.nii.gz",
    )


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz"])
def test_endings_may_differ_between_image_and_label(tmp_path, ending):
    write(tmp_path)
    touch(tmp_path, f"images/a{ending}", "labels/a.nii")
    assert read(tmp_path, "").cases[0].name == "a"


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, "a")
    touch(tmp_path, "images/a.nii")
    with pytest.raises(InputError, match="second file of this name"):
        read(tmp_path, "")


def test_channels_without_names_are_numbered(tmp_path):
    write(tmp_path)
    touch(
        tmp_path,
        "images/a_0000.nii.gz",
        "images/a_0001.nii.gz",
        "labels/a.nii.gz",
    )
    layout = read(tmp_path, "")
    assert layout.channel_names == ("channel_0", "channel_1")
    assert len(layout.cases[0].images) == 2


def test_four_digits_may_be_the_number_of_a_case(tmp_path):
    write(tmp_path, "scan_0000", "scan_0001")
    touch(tmp_path, "images/scan_0002.nii.gz")
    layout = read(tmp_path, "")
    assert [case.name for case in layout.cases] == ["scan_0000", "scan_0001"]
    assert layout.notes == ("scan_0002: image without label, left out",)


def test_files_without_partner_are_said(tmp_path):
    write(tmp_path, "a")
    touch(tmp_path, "labels/z.nii.gz")
    touch(tmp_path, *(f"images/b{i}.nii.gz" for i in range(5)))
    assert read(tmp_path, "").notes == (
        "b0, b1, b2 and 2 more: image without label, left out",
        "z: label without image, left out",
    )


def test_decathlon_style_names_are_read(tmp_path):
    write(tmp_path, "a", dataset={"labels": {"0": "background", "1": "liver"}})
    assert read(tmp_path, "").structures == {"liver": 1}


def test_table_gives_the_split(tmp_path):
    write(tmp_path, "a", "b", "c", "d")
    write_table(
        tmp_path,
        row("d", "train"),
        row("a", "val"),
        row("b", "Validation"),
        row("c", "test"),
    )
    layout = read(tmp_path, "")
    assert [case.name for case in layout.cases] == ["a", "b", "c", "d"]
    assert layout.given_split == {
        "a": "validation",
        "b": "validation",
        "c": "test",
        "d": "train",
    }


def test_cases_outside_the_table_are_left_out_and_said(tmp_path):
    write(tmp_path, "a", "b")
    write_table(tmp_path, row("a", "train"))
    layout = read(tmp_path, "")
    assert [case.name for case in layout.cases] == ["a"]
    assert layout.notes == ("b: not in cases.csv, left out",)


def test_table_without_split_only_chooses_cases(tmp_path):
    write(tmp_path, "a", "b")
    write_table(tmp_path, "b", header="case")
    layout = read(tmp_path, "")
    assert [case.name for case in layout.cases] == ["b"]
    assert layout.given_split == {}


def test_table_may_pair_files_of_other_names(tmp_path):
    write(tmp_path, "a")
    touch(tmp_path, "images/p1.nii.gz", "labels/p1_seg.nii.gz")
    write_table(tmp_path, "p1,images/p1.nii.gz,labels/p1_seg.nii.gz,train")
    layout = read(tmp_path, "")
    assert layout.cases[0].files() == (
        tmp_path / "images/p1.nii.gz",
        tmp_path / "labels/p1_seg.nii.gz",
    )


def test_table_keeps_all_channels_of_a_case(tmp_path):
    write(tmp_path)
    touch(
        tmp_path,
        "images/a_0000.nii.gz",
        "images/a_0001.nii.gz",
        "labels/a.nii.gz",
    )
    write_table(tmp_path, "a,images/a_0000.nii.gz,labels/a.nii.gz,train")
    assert len(read(tmp_path, "").cases[0].images) == 2


@pytest.mark.parametrize(
    "lines, problem",
    [
        ([row("a", "train"), row("x", "test")], "line 3: images/x.* not exist"),
        (["x,,,train"], "line 2: case x has no image"),
        (["i,images/i.nii.gz,,train"], "line 2: case i has no label map"),
        ([row("a", "holdout")], "line 2: unknown split 'holdout'"),
        ([row("a", "train"), row("a", "test")], "line 3: repeats case a"),
        ([row("a", "train"), row("b", "")], "line 3: gives no split"),
        ([",,,train"], "line 2: has no case name"),
        ([], "lists no case"),
    ],
)
def test_faults_of_the_table_name_the_line(tmp_path, lines, problem):
    write(tmp_path, "a", "b")
    touch(tmp_path, "images/i.nii.gz")
    write_table(tmp_path, *lines)
    with pytest.raises(InputError, match=f"cases.csv: {problem}"):
        read(tmp_path, "")


def test_table_without_case_column_is_refused(tmp_path):
    write(tmp_path, "a")
    write_table(tmp_path, "a", header="patient")
    with pytest.raises(InputError, match="no column case"):
        read(tmp_path, "")


def save_labels(path, values):
    array = np.zeros((3, 3, 3), np.uint8)
    array.flat[: len(values)] = values
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def test_without_names_labels_are_numbered(tmp_path):
    touch(tmp_path, "images/a.nii.gz", "images/b.nii.gz")
    save_labels(tmp_path / "labels/a.nii.gz", [1, 4])
    save_labels(tmp_path / "labels/b.nii.gz", [2])
    layout = read(tmp_path, "")
    assert layout.structures == {"label_1": 1, "label_2": 2, "label_4": 4}
    assert layout.notes == ("no dataset.json: label values found are 1, 2, 4",)


def test_without_names_empty_label_maps_are_refused(tmp_path):
    touch(tmp_path, "images/a.nii.gz")
    save_labels(tmp_path / "labels/a.nii.gz", [])
    with pytest.raises(InputError, match="nothing but 0"):
        read(tmp_path, "")


def test_missing_labels_folder_is_an_error(tmp_path):
    touch(tmp_path, "images/a.nii.gz")
    with pytest.raises(InputError, match="no labels/"):
        read(tmp_path, "")


def test_folder_without_scans_is_an_error(tmp_path):
    write(tmp_path, "a")
    (tmp_path / "labels/a.nii.gz").unlink()
    with pytest.raises(InputError, match="labels: holds no .nii.gz"):
        read(tmp_path, "")


def test_other_folders_are_another_layout(tmp_path):
    assert read(tmp_path, "") is None


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "a\\b"])
def test_case_name_that_is_no_file_name_is_refused(tmp_path, name):
    table = tmp_path / "cases.csv"
    table.write_text(f"case,image,label\n{name},i.nii,l.nii\n")
    with pytest.raises(InputError, match="line 2"):
        read_case_table(table)


def test_many_values_without_names_are_warned_of(tmp_path, caplog):
    touch(tmp_path, "images/a.nii.gz")
    (tmp_path / "labels").mkdir()
    array = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    path = tmp_path / "labels/a.nii.gz"
    nib.save(nib.Nifti1Image(array % 31, np.eye(4)), path)
    assert len(read(tmp_path, "").structures) == 30
    assert not caplog.records
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    assert len(read(tmp_path, "").structures) == 63
    (record,) = caplog.records
    text = record.getMessage()
    assert "its label maps hold 63 values without names, as soft" in text


def test_many_values_with_names_are_not_warned_of(tmp_path, caplog):
    labels = {f"organ {k}": k for k in range(64)}
    write(tmp_path, "a", dataset={"labels": labels})
    assert len(read(tmp_path, "").structures) == 63
    assert not caplog.records


@pytest.mark.parametrize(
    "images, label, words",
    [
        (
            ["case0_0000", "case1_0000"],
            "Case0_seg",
            "images/case0_0000.nii.gz and labels/Case0_seg.nii.gz. Give "
            "labels the names of their images, as by renaming "
            "Case0_seg.nii.gz to case0.nii.gz",
        ),
        (
            ["scan_012", "scan_002", "scan_02b"],
            "mask-scan_02",
            "images/scan_002.nii.gz and labels/mask-scan_02.nii.gz",
        ),
        (["x"], "y", "images/x.nii.gz and labels/y.nii.gz"),
    ],
)
def test_names_that_do_not_match_name_the_nearest_pair(
    tmp_path, images, label, words
):
    write(tmp_path)
    touch(tmp_path, *(f"images/{name}.nii.gz" for name in images))
    touch(tmp_path, f"labels/{label}.nii.gz", "labels/zzz9.nii.gz")
    with pytest.raises(InputError) as error:
        read(tmp_path, "")
    text = str(error.value)
    assert text.startswith(f"{tmp_path}: no case has both an image and a label")
    assert words in text and "\n" not in text


def test_left_out_files_are_told_with_their_nearest_partners(tmp_path):
    write(tmp_path, "p1", "p2")
    touch(tmp_path, *(f"images/p{i}.nii.gz" for i in (3, 4)))
    touch(tmp_path, *(f"labels/P{i}_seg.nii.gz" for i in (4, 3)))
    assert read(tmp_path, "").notes == (
        "p3, p4: image without label, left out",
        "P3_seg, P4_seg: label without image, left out",
        "if they belong together, rename labels: P3_seg.nii.gz to p3.nii.gz, "
        "P4_seg.nii.gz to p4.nii.gz",
    )


def test_table_pairs_what_no_names_pair(tmp_path):
    write(tmp_path)
    touch(tmp_path, "images/p1.nii.gz", "labels/q9.nii.gz")
    write_table(tmp_path, "p1,images/p1.nii.gz,labels/q9.nii.gz,train")
    assert len(read(tmp_path, "").cases) == 1


@pytest.fixture
def opened(monkeypatch):
    """Names of the label maps that are opened."""
    names = []

    def count(path, **options):
        names.append(path.name)
        return read_label_map(path, **options)

    monkeypatch.setattr(values_module, "read_label_map", count)
    return names


def test_known_label_maps_are_not_opened_again(tmp_path, opened):
    data, cache = tmp_path / "data", tmp_path / "cache"
    touch(data, "images/a.nii.gz", "images/b.nii.gz")
    save_labels(data / "labels/a.nii.gz", [1, 4])
    save_labels(data / "labels/b.nii.gz", [2])
    first = read(data, "", cache)
    assert opened == ["a.nii.gz", "b.nii.gz"]
    assert read(data, "", cache) == first
    assert len(opened) == 2


def test_changed_and_new_label_maps_are_opened(tmp_path, opened):
    data, cache = tmp_path / "data", tmp_path / "cache"
    touch(data, "images/a.nii.gz", "images/b.nii.gz", "images/c.nii.gz")
    save_labels(data / "labels/a.nii.gz", [1, 4])
    save_labels(data / "labels/b.nii.gz", [2])
    read(data, "", cache)
    opened.clear()
    save_labels(data / "labels/a.nii.gz", [3])
    save_labels(data / "labels/c.nii.gz", [5])
    layout = read(data, "", cache)
    assert opened == ["a.nii.gz", "c.nii.gz"]
    assert sorted(layout.structures.values()) == [2, 3, 5]


def test_damaged_label_map_is_tried_again(tmp_path):
    data, cache = tmp_path / "data", tmp_path / "cache"
    touch(data, "images/a.nii.gz", "images/b.nii.gz", "labels/b.nii.gz")
    save_labels(data / "labels/a.nii.gz", [1])
    assert list(read(data, "", cache).structures.values()) == [1]
    save_labels(data / "labels/b.nii.gz", [2])
    assert list(read(data, "", cache).structures.values()) == [1, 2]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 3}', '{"a": ["b"]}'])
def test_damaged_note_is_made_again(tmp_path, opened, text):
    data, cache = tmp_path / "data", tmp_path / "cache"
    touch(data, "images/a.nii.gz")
    save_labels(data / "labels/a.nii.gz", [7])
    read(data, "", cache)
    (note,) = (cache / "label_values").iterdir()
    note.write_text(text)
    for _ in range(2):
        assert read(data, "", cache).structures == {"label_7": 7}
    assert len(opened) == 2


def test_cache_that_cannot_be_written_is_done_without(tmp_path):
    data, cache = tmp_path / "data", tmp_path / "cache"
    touch(data, "images/a.nii.gz")
    save_labels(data / "labels/a.nii.gz", [7])
    cache.write_text("a file, not a folder")
    assert read(data, "", cache).structures == {"label_7": 7}


@pytest.mark.parametrize(
    ("modality", "said"), [("CTce_ThAb", False), ("MR_Ab", True)]
)
def test_modality_without_effect_is_told(ball_data, modality, said):
    # Of VISCERAL data one is chosen: see test_visceral.
    notes = recognize(ball_data, modality).notes
    assert ("modality MR_Ab: without effect" in " ".join(notes)) is said
