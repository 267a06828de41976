"""All images of a data set, in every layout, labeled or not."""

import json

import pytest
from PIL import Image

from keras_isample.data.all_images import all_images
from keras_isample.data.all_images import data_files
from keras_isample.data.all_images import left_out_below
from keras_isample.data.all_images import list_unsegmented
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.errors import InputError

CT = "CTce_ThAb"


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root, num_channels=1, modality=CT):
    images = all_images(root, num_channels, modality)
    return {
        case.name: [str(p.relative_to(root)) for p in case.images]
        for case in images.cases
    }


def test_images_without_labels_are_listed(tmp_path):
    touch(tmp_path, "images/a.nii.gz", "images/b.nii.gz", "labels/a.nii.gz")
    assert found(tmp_path) == {
        "a": ["images/a.nii.gz"],
        "b": ["images/b.nii.gz"],
    }


def test_folder_of_labels_may_be_missing(tmp_path):
    touch(tmp_path, "images/a.nii.gz", "images/b_0000.nii.gz")
    assert sorted(found(tmp_path)) == ["a", "b"]


def test_number_of_a_file_without_label_is_part_of_its_name(tmp_path):
    files = [f"images/scan_000{k}.nii.gz" for k in range(3)]
    touch(tmp_path, *files)
    assert sorted(found(tmp_path)) == ["scan", "scan_0001", "scan_0002"]


def test_channels_of_unlabeled_cases_are_put_together(tmp_path):
    files = [f"images/{c}_000{k}.nii.gz" for c in "ab" for k in (0, 1)]
    touch(tmp_path, *files, "labels/a.nii.gz")
    assert found(tmp_path, 2) == {"a": files[:2], "b": files[2:]}
    # A model of one channel is not given the second one as another scan.
    assert found(tmp_path, 1) == {"a": files[:2], "b": files[2:]}


def test_missing_channel_is_listed_to_be_named(tmp_path):
    touch(tmp_path, "images/a_0000.nii.gz")
    names = ["images/a_0000.nii.gz", "images/a_0001.nii.gz"]
    assert found(tmp_path, 2) == {"a": names}


def test_color_picture_is_a_whole_case(tmp_path):
    touch(tmp_path, "images/.hidden")
    Image.new("RGB", (4, 5)).save(tmp_path / "images/a.png")
    assert found(tmp_path, 3) == {"a": ["images/a.png"]}


def test_table_names_cases_and_other_images(tmp_path):
    touch(
        tmp_path,
        "images/a.nii.gz",
        "images/b.nii.gz",
        "images/x1.nii.gz",
        "more/c.nii.gz",
        "labels/a.nii.gz",
    )
    (tmp_path / "cases.csv").write_text(
        "case,image\na,images/a.nii.gz\nx,images/x1.nii.gz\n"
        "c,more/c.nii.gz\nb,\n"
    )
    assert found(tmp_path) == {
        "a": ["images/a.nii.gz"],
        "b": ["images/b.nii.gz"],
        "c": ["more/c.nii.gz"],
        "x": ["images/x1.nii.gz"],
    }


def test_image_that_a_table_replaces_is_said(tmp_path):
    touch(tmp_path, "images/a.nii.gz", "new/a.nii.gz")
    (tmp_path / "cases.csv").write_text("case,image\na,new/a.nii.gz\n")
    images = all_images(tmp_path, 1, CT)
    assert found(tmp_path) == {"a": ["new/a.nii.gz"]}
    assert "images/a.nii.gz: left out" in images.notes[0]


def test_nnunet_images_to_test_are_listed_too(tmp_path):
    touch(
        tmp_path,
        "imagesTr/a_0000.nii.gz",
        "imagesTr/b_0000.nii.gz",
        "imagesTs/c_0000.nii.gz",
        "imagesPrevious/d_0000.nii.gz",
        "labelsTr/a.nii.gz",
    )
    assert sorted(found(tmp_path)) == ["a", "b", "c"]
    notes = all_images(tmp_path, 1, CT).notes
    assert notes == (f"{tmp_path}/imagesPrevious: left out",)


def test_nnunet_images_are_found_from_above_and_alone(tmp_path):
    touch(tmp_path, "Dataset001_X/imagesTs/c_0000.nii.gz")
    root = tmp_path / "Dataset001_X"
    assert sorted(found(root)) == ["c"]
    touch(tmp_path, "Dataset001_X/imagesTr/a.nii.gz")
    assert sorted(found(tmp_path)) == ["a", "c"]


def test_visceral_volumes_of_the_modality_are_listed(tmp_path):
    touch(
        tmp_path,
        "Volumes/10000100_1_CTce_ThAb.nii.gz",
        "Volumes/10000101_1_CTce_ThAb.nii.gz",
        "Volumes/10000102_1_CT_wb.nii.gz",
        "Segmentations/10000100_1_CTce_ThAb_58_1.nii.gz",
    )
    assert sorted(found(tmp_path)) == [
        "10000100_1_CTce_ThAb",
        "10000101_1_CTce_ThAb",
    ]
    notes = all_images(tmp_path, 1, CT).notes
    assert notes == ("volumes of other modalities, left out: CT_wb (1)",)
    assert sorted(found(tmp_path, modality="CT_wb")) == ["10000102_1_CT_wb"]


def test_other_folders_are_no_data_set(tmp_path):
    touch(tmp_path, "a.nii.gz", "scans/b.nii.gz")
    assert all_images(tmp_path, 1, CT) is None


@pytest.mark.parametrize("place", ["Volumes/out", "Volumes/deep/out"])
def test_predictions_among_volumes_are_no_scans(tmp_path, place):
    name = "10000100_1_CTce_ThAb.nii.gz"
    touch(tmp_path, f"Volumes/{name}", f"{place}/{name}")
    PredictionRecord(tmp_path / place).begin({"model": "m"}, [name])
    assert found(tmp_path) == {name[:-7]: [f"Volumes/{name}"]}


def test_label_maps_that_predict_wrote_are_no_scans(tmp_path):
    touch(tmp_path, "a.nii.gz", "b.nii.gz")
    PredictionRecord(tmp_path).begin({"model": "m"}, ["b.nii.gz"])
    assert list(list_unsegmented(tmp_path)) == ["a"]


def test_scans_in_sub_folders_are_said(tmp_path):
    touch(tmp_path, "a.nii.gz", "x/b.nii.gz", "x/c.nii.gz", "notes/n.txt")
    touch(tmp_path, "out/a.nii.gz")
    PredictionRecord(tmp_path / "out").begin({"model": "m"}, ["a.nii.gz"])
    assert left_out_below(tmp_path) == [
        f"{tmp_path}: 2 scans in sub-folders (x/), left out"
    ]


def test_files_of_a_data_set_are_images_labels_and_tables(tmp_path):
    touch(
        tmp_path,
        "set/images/a.nii.gz",
        "set/labels/a.nii.gz",
        "set/more/b.nii.gz",
        "set/predictions/a.nii.gz",
    )
    (tmp_path / "set/dataset.json").write_text(json.dumps({}))
    (tmp_path / "set/cases.csv").write_text("case,image\nb,more/b.nii.gz\n")
    names = {str(p.relative_to(tmp_path / "set")) for p in data_files(tmp_path)}
    assert names == {
        "images/a.nii.gz",
        "labels/a.nii.gz",
        "more/b.nii.gz",
        "dataset.json",
        "cases.csv",
    }


def test_damaged_table_is_named(tmp_path):
    touch(tmp_path, "images/a.nii.gz")
    (tmp_path / "cases.csv").write_text("name\na\n")
    with pytest.raises(InputError, match="has no column case"):
        all_images(tmp_path, 1, CT)


def test_changed_label_maps_are_left_out_with_a_word(tmp_path, caplog):
    record = PredictionRecord(tmp_path)
    record.begin({"images": "i"}, ["a.nii.gz", "b.nii.gz"])
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "c.nii.gz")
    record.complete(["a.nii.gz", "b.nii.gz"])
    assert list(list_unsegmented(tmp_path)) == ["c"]
    assert not caplog.records
    (tmp_path / "b.nii.gz").write_text("a scan of this name")
    assert list(list_unsegmented(tmp_path)) == ["c"]
    assert "b.nii.gz left out" in caplog.text


def test_two_images_of_one_case_are_named(tmp_path):
    touch(tmp_path, "images/a.nii.gz", "images/a_0000.nii.gz")
    touch(tmp_path, "labels/a.nii.gz")
    with pytest.raises(InputError, match="a second image of case a beside"):
        found(tmp_path)
