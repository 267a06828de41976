"""The nnU-Net v2 raw layout; the scans are empty, as none is opened."""

import json

import pytest

from keras_isample.data.nnunet import read
from keras_isample.errors import InputError

DATASET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "spleen": 2, "liver": 1},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


def write(root, files, **changes):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    content = {k: v for k, v in (DATASET | changes).items() if v is not None}
    (root / "dataset.json").write_text(json.dumps(content))


def one_case(name="a"):
    return [f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz"]


def test_cases_and_names_are_read(tmp_path):
    write(tmp_path, one_case("b_001") + one_case("a"))
    layout = read(tmp_path, "")
    assert layout.name == "nnU-Net v2 raw"
    assert [case.name for case in layout.cases] == ["a", "b_001"]
    assert layout.cases[1].label_map == tmp_path / "labelsTr/b_001.nii.gz"
    assert layout.structures == {"liver": 1, "spleen": 2}
    assert layout.channel_names == ("CT",)
    assert layout.notes == ()


def test_channels_are_in_the_order_of_their_numbers(tmp_path):
    files = [f"imagesTr/a_{i:04d}.nii.gz" for i in (2, 0, 1)]
    write(
        tmp_path,
        [*files, "labelsTr/a.nii.gz"],
        channel_names={"0": "T1", "2": "FLAIR", "1": "T2"},
        numTraining=1,
    )
    layout = read(tmp_path, "")
    assert layout.channel_names == ("T1", "T2", "FLAIR")
    assert [path.name for path in layout.cases[0].images] == [
        "a_0000.nii.gz",
        "a_0001.nii.gz",
        "a_0002.nii.gz",
    ]


def test_missing_channel_is_listed_for_whoever_reads_the_case(tmp_path):
    write(tmp_path, one_case("a"), channel_names={"0": "T1", "1": "T2"})
    (case,) = read(tmp_path, "").cases
    assert case.images[1] == tmp_path / "imagesTr/a_0001.nii.gz"
    assert not case.images[1].exists()


def test_channel_too_many_is_refused(tmp_path):
    write(tmp_path, [*one_case(), "imagesTr/a_0001.nii.gz"])
    with pytest.raises(InputError, match="has a channel 1"):
        read(tmp_path, "")


def test_one_file_for_several_channels_is_refused(tmp_path):
    write(
        tmp_path,
        ["imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz"],
        channel_names={"0": "FLAIR", "1": "T1w"},
    )
    with pytest.raises(InputError, match="one file for the channels FLAIR, T"):
        read(tmp_path, "")


def test_parent_with_one_data_set_is_entered(tmp_path):
    write(tmp_path / "Dataset001_Organs", one_case("a"), numTraining=1)
    (tmp_path / "scripts").mkdir()
    assert len(read(tmp_path, "").cases) == 1


def test_parent_with_two_data_sets_asks_for_one(tmp_path):
    write(tmp_path / "Dataset001_Organs", one_case("a"))
    write(tmp_path / "Dataset002_Bones", one_case("a"))
    with pytest.raises(InputError, match="Choose one: Dataset001_Organs, D"):
        read(tmp_path, "")


def test_hidden_files_are_left_out(tmp_path):
    write(
        tmp_path,
        [*one_case(), "imagesTr/._a_0000.nii.gz", "labelsTr/._a.nii.gz"],
        numTraining=1,
    )
    layout = read(tmp_path, "")
    assert len(layout.cases) == 1
    assert layout.notes == ()


@pytest.mark.parametrize("part", ["dataset.json", "labelsTr"])
def test_missing_part_is_an_error(tmp_path, part):
    write(tmp_path, ["imagesTr/a_0000.nii.gz"])
    if part == "dataset.json":
        (tmp_path / "dataset.json").unlink()
    with pytest.raises(InputError, match=f"but no {part}"):
        read(tmp_path, "")


def test_folder_without_images_is_another_layout(tmp_path):
    assert read(tmp_path, "") is None


def test_files_without_partner_are_said(tmp_path):
    write(
        tmp_path,
        [*one_case(), "imagesTr/b_0000.nii.gz", "labelsTr/c.nii.gz"],
        numTraining=3,
    )
    assert read(tmp_path, "").notes == (
        "b: image without label, left out",
        "c: label without image, left out",
        "dataset.json tells of 3 training cases, 1 were found",
    )


def test_decathlon_style_is_read(tmp_path):
    write(
        tmp_path,
        ["imagesTr/hippocampus_001.nii.gz", "labelsTr/hippocampus_001.nii.gz"],
        labels={"0": "background", "1": "Anterior", "2": "Posterior"},
        channel_names=None,
        modality={"0": "MRI"},
        numTraining=1,
        file_ending=None,
    )
    layout = read(tmp_path, "")
    assert layout.name == "MSD"
    assert layout.structures == {"Anterior": 1, "Posterior": 2}
    assert layout.channel_names == ("MRI",)
    assert layout.cases[0].name == "hippocampus_001"


@pytest.mark.parametrize(
    "labels, problem",
    [
        ({"background": 0, "tumor": [1, 2]}, "region"),
        ({"background": 0, "liver": 1, "ignore": 2}, "ignore"),
        ({"background": 0, "liver": 1, "spleen": 1}, "repeat"),
        ({"background": 0, "liver": -1}, "negative"),
        ({"background": 0, "liver": "one"}, "'one'"),
        ({"background": 0, "liver": True}, "True"),
        ({"background": 0}, "no label but"),
        ({}, "no .labels"),
        (None, "no .labels"),
    ],
)
def test_unusable_labels_are_refused(tmp_path, labels, problem):
    write(tmp_path, one_case(), labels=labels)
    with pytest.raises(InputError, match=f"dataset.json: .*{problem}"):
        read(tmp_path, "")


@pytest.mark.parametrize("value", [[1], [[1]], "1", ["1"], " 1 ", 1.0, [1.0]])
def test_one_value_may_be_written_in_several_ways(tmp_path, value):
    labels = {"background": [0], "organ": value, "lesion": 2}
    write(tmp_path, one_case(), labels=labels)
    assert read(tmp_path, "").structures == {"organ": 1, "lesion": 2}


@pytest.mark.parametrize("value", [[], [[]], 1.5, "1.5", None, {"a": 1}])
def test_what_is_no_value_is_refused(tmp_path, value):
    labels = {"background": 0, "organ": value}
    write(tmp_path, one_case(), labels=labels)
    with pytest.raises(InputError, match="label 'organ' has the value"):
        read(tmp_path, "")


@pytest.mark.parametrize("value", [[1, 2], [[1, 2]], ["1", "2"]])
def test_regions_are_refused(tmp_path, value):
    labels = {"background": 0, "organ": value}
    write(tmp_path, one_case(), labels=labels)
    with pytest.raises(InputError, match="a region made of several values"):
        read(tmp_path, "")


@pytest.mark.parametrize(
    "labels",
    [
        {"unknown": 0, "background": 1, "liver": 2},
        {"Background ": 3, "liver": 2},
        {"0": "air", "1": "background", "2": "liver"},
    ],
)
def test_a_structure_called_background_is_refused(tmp_path, labels):
    write(tmp_path, one_case(), labels=labels)
    with pytest.raises(InputError, match="which is what voxels of value 0"):
        read(tmp_path, "")


def test_the_value_0_may_have_any_name(tmp_path):
    write(tmp_path, one_case(), labels={"BACKGROUND": 0, "liver": 2})
    assert read(tmp_path, "").structures == {"liver": 2}


def test_names_that_do_not_match_name_the_nearest_pair(tmp_path):
    files = ["imagesTr/a_1_0000.nii.gz", "labelsTr/A-1_seg.nii.gz"]
    write(tmp_path, files)
    with pytest.raises(InputError) as error:
        read(tmp_path, "")
    assert "renaming A-1_seg.nii.gz to a_1.nii.gz" in str(error.value)


def test_unknown_file_ending_is_refused(tmp_path):
    write(tmp_path, one_case(), file_ending=".nrrd")
    with pytest.raises(InputError, match="'.nrrd' files"):
        read(tmp_path, "")


def test_broken_json_is_refused(tmp_path):
    write(tmp_path, one_case())
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        read(tmp_path, "")


def test_channels_not_numbered_from_zero_are_refused(tmp_path):
    write(tmp_path, one_case(), channel_names={"1": "CT"})
    with pytest.raises(InputError, match="not numbered from 0"):
        read(tmp_path, "")
