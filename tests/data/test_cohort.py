"""Cohorts: recognition, classes, splits and class maps."""

import json
import logging
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data.cohort import Case
from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_class_map
from keras_isample.data.cohort import read_cohort
from keras_isample.data.structures import LabelClass
from keras_isample.data.visceral import RADLEX
from keras_isample.errors import InputError


def save(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.eye(4) if affine is None else affine
    nib.save(nib.Nifti1Image(np.asarray(array), affine), path)


def box(*boxes, value=1):
    array = np.zeros((6, 5, 4), np.uint8)
    for start, stop in boxes:
        array[start:stop] = value
    return array


def write_visceral(root, cases):
    """Writes patient -> RadLex id -> mask array."""
    for patient, masks in cases.items():
        stem = f"{patient}_1_CTce_ThAb"
        save(root / f"Volumes/{stem}.nii.gz", box().astype(np.int16))
        for radlex, array in masks.items():
            save(root / f"Segmentations/{stem}_{radlex}_4.nii.gz", array)


def write_folders(root, arrays, labels, *, affine=None):
    for name, array in arrays.items():
        save(root / f"images/{name}.nii.gz", box().astype(np.int16))
        save(root / f"labels/{name}.nii.gz", array, affine)
    content = {"labels": {"background": 0, **labels}}
    (root / "dataset.json").write_text(json.dumps(content))


@pytest.fixture
def kidneys(tmp_path):
    both = {29662: box((0, 1)), 29663: box((4, 6))}
    write_visceral(
        tmp_path,
        {
            10000100: both,
            10000104: {29662: box((0, 1))},
            10000105: {58: box((2, 3))},
        },
    )
    return tmp_path


@pytest.fixture
def numbered(tmp_path):
    """Twenty cases without a given split; the scans are empty files."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for i in range(20):
            (tmp_path / folder / f"case_{i:02d}.nii.gz").touch()
    (tmp_path / "dataset.json").write_text('{"labels": {"liver": 1}}')
    return tmp_path


def test_class_names_start_with_the_background(kidneys):
    cohort = read_cohort(kidneys, ["liver", "kidney"])
    assert cohort.class_names == ("background", "liver", "kidney")
    assert cohort.num_classes == 3


def test_cases_without_a_chosen_mask_are_left_out(kidneys):
    cohort = read_cohort(kidneys, ["kidney"])
    assert [case.name[:8] for case in cohort.cases] == ["10000100", "10000104"]
    assert cohort.notes == (
        "10000105_1_CTce_ThAb: image without label, left out",
    )


def test_class_with_one_mask_of_two_is_missing(kidneys):
    cohort = read_cohort(kidneys, ["kidney"])
    assert [cohort.missing(case) for case in cohort.cases] == [(), ("kidney",)]


def test_asked_structure_without_any_mask_is_an_error(kidneys):
    with pytest.raises(InputError) as caught:
        read_cohort(kidneys, ["kidney", "aorta"])
    assert "not annotated in any case: aorta" in str(caught.value)
    assert "liver, right_kidney, left_kidney" in str(caught.value)


def test_default_classes_without_any_mask_are_dropped(kidneys):
    cohort = read_cohort(kidneys)
    assert cohort.class_names == ("background", "kidney", "liver")
    assert cohort.notes[0] == (
        "not annotated in any case, no class: aorta, lung, psoas_major, "
        "rectus_abdominis, spleen, sternum, trachea, bladder"
    )


def test_structures_of_masks_are_those_annotated(kidneys):
    cohort = read_cohort(kidneys)
    assert cohort.structures == {
        "liver": 1,
        "right_kidney": 1,
        "left_kidney": 1,
    }


def test_papers_ten_are_eleven_classes(tmp_path):
    write_visceral(tmp_path, {10000100: dict.fromkeys(RADLEX, box((0, 1)))})
    cohort = read_cohort(tmp_path)
    assert cohort.num_classes == 11
    assert cohort.class_names[-1] == "bladder"
    assert sum(c.paired for c in cohort.classes) == 4


def test_masks_are_merged_into_classes(kidneys):
    cohort = read_cohort(kidneys, ["liver", "kidney"])
    labels, missing = read_class_map(cohort, cohort.cases[0])
    assert labels.array.dtype == np.uint8
    assert labels.array[:, 0, 0].tolist() == [2, 0, 0, 0, 2, 2]
    assert missing == (1,)


def test_part_of_a_class_is_marked_and_the_class_missing(kidneys):
    cohort = read_cohort(kidneys, ["kidney"])
    labels, missing = read_class_map(cohort, cohort.cases[1])
    assert labels.array[:, 0, 0].tolist() == [1, 0, 0, 0, 0, 0]
    assert missing == (1,)


def test_voxels_claimed_twice_go_to_the_later_class(tmp_path, caplog):
    write_visceral(tmp_path, {10000100: {58: box((0, 3)), 86: box((2, 4))}})
    cohort = read_cohort(tmp_path, ["spleen", "liver"])
    with caplog.at_level(logging.INFO):
        labels, _ = read_class_map(cohort, cohort.cases[0])
    assert labels.array[:, 0, 0].tolist() == [2, 2, 2, 1, 0, 0]
    assert "20 voxels" in caplog.text


def test_mask_may_have_any_second_value(tmp_path):
    write_visceral(tmp_path, {10000100: {58: box((0, 3), value=255)}})
    cohort = read_cohort(tmp_path, ["liver"])
    labels, _ = read_class_map(cohort, cohort.cases[0])
    assert labels.array.max() == 1


def test_mask_of_three_values_is_refused(tmp_path):
    array = box((0, 3)) + box((0, 1))
    write_visceral(tmp_path, {10000100: {58: array}})
    cohort = read_cohort(tmp_path, ["liver"])
    with pytest.raises(InputError, match=r"_58_4.nii.gz: is no binary mask"):
        read_class_map(cohort, cohort.cases[0])


def test_masks_must_lie_on_the_image(tmp_path):
    write_visceral(tmp_path, {10000100: {58: box((0, 3))[:-1]}})
    cohort = read_cohort(tmp_path, ["liver"])
    with pytest.raises(InputError, match="voxels") as caught:
        read_class_map(cohort, cohort.cases[0])
    assert "10000100_1_CTce_ThAb_58_4.nii.gz" in str(caught.value)
    assert "10000100_1_CTce_ThAb.nii.gz" in str(caught.value)


def test_label_map_values_become_class_indices(tmp_path):
    array = box((0, 1), value=7) + box((1, 2), value=3) + box((2, 3))
    write_folders(
        tmp_path,
        {"a": array},
        {"spine": 1, "left_kidney": 3, "right_kidney": 7},
    )
    cohort = read_cohort(tmp_path, ["kidney"])
    labels, missing = read_class_map(cohort, cohort.cases[0])
    assert labels.array.dtype == np.uint8
    assert labels.array[:, 0, 0].tolist() == [1, 1, 0, 0, 0, 0]
    assert missing == ()


def test_unknown_label_value_is_refused(tmp_path):
    write_folders(tmp_path, {"a": box((0, 1), value=7)}, {"liver": 1})
    cohort = read_cohort(tmp_path)
    with pytest.raises(InputError, match="a.nii.gz: unknown label value 7;"):
        read_class_map(cohort, cohort.cases[0])


def test_shifted_label_map_is_refused(tmp_path):
    affine = np.eye(4)
    affine[2, 3] = 5.0
    write_folders(tmp_path, {"a": box((0, 1))}, {"liver": 1}, affine=affine)
    cohort = read_cohort(tmp_path)
    with pytest.raises(InputError, match="5 mm"):
        read_class_map(cohort, cohort.cases[0])


def test_channels_must_lie_on_each_other(tmp_path):
    write_folders(tmp_path, {"a": box((0, 1))}, {"liver": 1})
    image = tmp_path / "images/a.nii.gz"
    image.rename(tmp_path / "images/a_0000.nii.gz")
    save(tmp_path / "images/a_0001.nii.gz", box()[:-1])
    cohort = read_cohort(tmp_path)
    with pytest.raises(InputError, match="a_0001.nii.gz: has 5x5x4 voxels"):
        read_class_map(cohort, cohort.cases[0])


def test_more_than_254_classes_are_refused(tmp_path):
    labels = {f"organ_{i}": i for i in range(1, 256)}
    write_folders(tmp_path, {"a": box((0, 1))}, labels)
    with pytest.raises(InputError, match="255 classes"):
        read_cohort(tmp_path)
    assert read_cohort(tmp_path, list(labels)[:254]).num_classes == 255


def test_only_sub_folder_is_entered(tmp_path):
    write_folders(tmp_path / "set", {"a": box((0, 1))}, {"liver": 1})
    (tmp_path / "README.md").touch()
    assert read_cohort(tmp_path).cases[0].name == "a"


def test_only_data_set_among_sub_folders_is_entered(tmp_path):
    write_folders(tmp_path / "set", {"a": box((0, 1))}, {"liver": 1})
    for other in ("predictions", "runs/x/evaluation"):
        (tmp_path / other).mkdir(parents=True)
    assert read_cohort(tmp_path).cases[0].name == "a"
    write_folders(tmp_path / "set2", {"b": box((0, 1))}, {"liver": 1})
    with pytest.raises(InputError, match="no data set recognized"):
        read_cohort(tmp_path)


def test_missing_empty_and_file_paths_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_cohort(tmp_path / "nothing")
    with pytest.raises(InputError, match="empty folder"):
        read_cohort(tmp_path)
    (tmp_path / "scan.nii").touch()
    with pytest.raises(InputError, match="is a file"):
        read_cohort(tmp_path / "scan.nii")


def test_unknown_layout_names_known_ones_and_what_was_found(tmp_path):
    (tmp_path / "scan.nii").touch()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError) as caught:
        read_cohort(tmp_path)
    assert "it holds masks/, scan.nii. Give" in str(caught.value)
    for layout in ("VISCERAL", "nnU-Net", "images/ and labels/"):
        assert layout in str(caught.value)


def test_data_without_a_labeled_case_is_refused(tmp_path):
    write_folders(tmp_path, {"a": box()}, {"liver": 1})
    label = tmp_path / "labels/a.nii.gz"
    label.rename(tmp_path / "labels/b.nii.gz")
    with pytest.raises(InputError, match="no case has both"):
        read_cohort(tmp_path)


def test_listing_opens_no_image(numbered):
    assert len(read_cohort(str(numbered)).cases) == 20


def test_shares_split_the_cases(numbered):
    parts = read_cohort(numbered).split(16, 4, 0)
    assert [len(part.cases) for part in parts] == [16, 4, 0]
    names = {case.name for part in parts for case in part.cases}
    assert len(names) == 20


def test_split_depends_on_the_seed_only(numbered):
    cohort = read_cohort(numbered)
    assert cohort.split(seed=1) == cohort.split(seed=1)
    assert cohort.split(seed=1) != cohort.split(seed=2)


def test_split_of_the_data_wins(numbered):
    lines = [f"case_{i:02d},{'test' if i < 3 else 'train'}" for i in range(20)]
    (numbered / "cases.csv").write_text("\n".join(["case,split", *lines]))
    train, validation, test = read_cohort(numbered).split(0.5, 0.5, 0)
    assert [len(train.cases), len(validation.cases)] == [17, 0]
    assert [c.name for c in test.cases] == ["case_00", "case_01", "case_02"]


def test_fold_wins_over_the_split_of_the_data_and_says_so(numbered, caplog):
    lines = [f"case_{i:02d},train" for i in range(20)]
    (numbered / "cases.csv").write_text("\n".join(["case,split", *lines]))
    _, _, test = read_cohort(numbered).split(fold=(1, 4))
    assert len(test.cases) == 5
    assert "fold 1 of 4 is used" in caplog.text


def test_subset_refuses_unknown_names(numbered):
    with pytest.raises(ValueError, match="Received: nobody"):
        read_cohort(numbered).subset(["nobody"])


def test_cases_are_hashable_and_cohorts_pickle(kidneys):
    cohort = read_cohort(kidneys)
    assert len({case: 0 for case in cohort.cases}) == 3
    assert pickle.loads(pickle.dumps(cohort)) == cohort


def test_settings_are_kept(numbered):
    cohort = read_cohort(
        numbered, spacing=(2, 2, 3), intensity="zscore", cache="cache"
    )
    assert cohort.spacing == (2.0, 2.0, 3.0)
    assert cohort.intensity == "zscore"
    assert cohort.cache == Path("cache")
    assert read_cohort(numbered, spacing=None).spacing is None


@pytest.mark.parametrize(
    "settings",
    [
        {"spacing": (1, 1)},
        {"spacing": (1, 0, 1)},
        {"spacing": "native"},
        {"intensity": "mr"},
        {"partial": "ignore"},
    ],
)
def test_unknown_settings_are_refused(numbered, settings):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(settings))}`"):
        read_cohort(numbered, **settings)


def test_description_tells_what_was_recognized():
    case = Case("a", (Path("a.nii"),), masks={"right_kidney": Path("m.nii")})
    cohort = Cohort(
        path=Path("visceral"),
        layout="VISCERAL Anatomy3",
        cases=(case,),
        structures={"right_kidney": 1, "left_kidney": 1},
        classes=(LabelClass("kidney", ("right_kidney", "left_kidney")),),
        channel_names=("CT",),
        given_split={"a": "train"},
        notes=("something was left out",),
    )
    assert cohort.describe().splitlines() == [
        "VISCERAL Anatomy3 at visceral/: 1 case, 1 channel (CT)",
        "classes: 0 background, 1 kidney (right_kidney + left_kidney)",
        "split by the data: 1 train, 0 validation, 0 test",
        "not annotated: kidney in 1 case",
        "note: something was left out",
    ]
    assert (
        repr(cohort) == "<Cohort visceral (VISCERAL Anatomy3): 1 case, kidney>"
    )


def test_description_says_that_no_split_is_given(numbered):
    assert "split: not given by the data" in read_cohort(numbered).describe()


def test_real_hippocampus_files_are_recognized(shared_data):
    cohort = read_cohort(shared_data / "hippocampus", intensity="zscore")
    assert [len(p.cases) for p in cohort.split()] == [64, 7, 8]
    assert cohort.class_names == ("background", "anterior", "posterior")
    assert cohort.notes == (
        "hippocampus_118: image without label, left out",
        "hippocampus_010: label without image, left out",
    )


def test_real_ct_sides_are_merged(shared_data):
    cohort = read_cohort(shared_data / "openkbp_ct", ["parotid", "mandible"])
    labels, _ = read_class_map(cohort, cohort.cases[0])
    assert [len(p.cases) for p in cohort.split()] == [16, 4, 4]
    assert set(np.unique(labels.array)) == {0, 1, 2}


def test_real_cardiac_labels_are_found_by_value(shared_data):
    cohort = read_cohort(shared_data / "cardiac_scd")
    assert cohort.class_names == ("background", "label_1", "label_2")
