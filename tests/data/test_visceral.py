"""The VISCERAL layout; the files are empty, as none is opened."""

import pytest

from keras_isample.data.visceral import DEFAULT_LABELS
from keras_isample.data.visceral import RADLEX
from keras_isample.data.visceral import read
from keras_isample.errors import InputError

CT = "CTce_ThAb"


def touch(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_case(
    root, volumes="Volumes", masks="Segmentations", patient=10000100
):
    stem = f"{patient}_1_{CT}"
    touch(
        root,
        f"{volumes}/{stem}.nii.gz",
        f"{masks}/{stem}_29662_4.nii.gz",
        f"{masks}/{stem}_29663_4.nii.gz",
    )
    return stem


@pytest.mark.parametrize(
    "radlex, name",
    [
        (58, "liver"),
        (86, "spleen"),
        (170, "pancreas"),
        (187, "gallbladder"),
        (237, "urinary_bladder"),
        (480, "aorta"),
        (1247, "trachea"),
        (1302, "right_lung"),
        (1326, "left_lung"),
        (2473, "sternum"),
        (7578, "thyroid_gland"),
        (29193, "first_lumbar_vertebra"),
        (29662, "right_kidney"),
        (29663, "left_kidney"),
        (30324, "right_adrenal_gland"),
        (30325, "left_adrenal_gland"),
        (32248, "right_psoas_major"),
        (32249, "left_psoas_major"),
        (40357, "right_rectus_abdominis"),
        (40358, "left_rectus_abdominis"),
    ],
)
def test_radlex_id_has_its_organ_and_side(radlex, name):
    assert RADLEX[radlex] == name


def test_table_has_twenty_structures_and_the_papers_ten():
    assert len(set(RADLEX.values())) == 20
    assert len(DEFAULT_LABELS) == 10


@pytest.mark.parametrize(
    "volumes, masks",
    [
        ("Volumes", "Segmentations"),
        ("volumes", "segmentations"),
        (f"volumes/{CT}", f"segmentations/{CT}"),
        ("Anatomy3-trainingset/Volumes", "Anatomy3-trainingset/Segmentations"),
        ("trainingset/volumes", "trainingset/manualsegmentations"),
    ],
)
def test_folders_of_all_copies_are_read(tmp_path, volumes, masks):
    stem = write_case(tmp_path, volumes, masks)
    (case,) = read(tmp_path, CT).cases
    assert case.name == stem
    assert case.images == (tmp_path / volumes / f"{stem}.nii.gz",)
    assert case.masks == {
        "right_kidney": tmp_path / masks / f"{stem}_29662_4.nii.gz",
        "left_kidney": tmp_path / masks / f"{stem}_29663_4.nii.gz",
    }


def test_other_folders_are_not_visceral(tmp_path):
    touch(tmp_path, "images/a.nii.gz")
    assert read(tmp_path, CT) is None


def test_lowest_annotator_is_taken_and_said(tmp_path):
    stem = write_case(tmp_path)
    touch(
        tmp_path,
        f"Segmentations/{stem}_29662_11.nii.gz",
        f"Segmentations/{stem}_29662_3.nii.gz",
        f"Segmentations/{stem}_29663_9.nii.gz",
    )
    layout = read(tmp_path, CT)
    masks = layout.cases[0].masks
    assert masks["right_kidney"].name.endswith("_29662_3.nii.gz")
    assert masks["left_kidney"].name.endswith("_29663_4.nii.gz")
    assert layout.notes == (
        "several annotators of 2 masks: the lowest number was taken",
    )


def test_other_modalities_are_left_out_and_counted(tmp_path):
    write_case(tmp_path)
    touch(
        tmp_path,
        "Volumes/10000004_1_CT_wb.nii.gz",
        "Volumes/10000005_1_CT_wb.nii.gz",
        "Segmentations/10000004_1_CT_wb_58_4.nii.gz",
    )
    layout = read(tmp_path, CT)
    assert len(layout.cases) == 1
    assert layout.notes == ("volumes of other modalities, left out: CT_wb (2)",)


def test_missing_modality_names_those_that_exist(tmp_path):
    write_case(tmp_path)
    with pytest.raises(InputError, match=r"MRT1_wb.*CTce_ThAb \(1\)"):
        read(tmp_path, "MRT1_wb")


def test_channel_is_named_by_the_modality(tmp_path):
    write_case(tmp_path)
    touch(tmp_path, "Volumes/10000004_1_MRT1cefs_Ab.nii.gz")
    assert read(tmp_path, CT).channel_names == ("CT",)
    assert read(tmp_path, "MRT1cefs_Ab").channel_names == ("MRT1cefs",)


def test_unknown_ids_are_left_out_and_said(tmp_path):
    stem = write_case(tmp_path)
    touch(
        tmp_path,
        f"Segmentations/{stem}_0_0.nii.gz",
        f"Segmentations/{stem}_2_0.nii.gz",
    )
    layout = read(tmp_path, CT)
    assert len(layout.cases[0].masks) == 2
    assert layout.notes == ("masks of unknown RadLex ids, left out: 0, 2",)


def test_files_without_partner_are_said(tmp_path):
    write_case(tmp_path)
    touch(
        tmp_path,
        f"Volumes/10000107_1_{CT}.nii.gz",
        f"Segmentations/10000108_1_{CT}_58_4.nii.gz",
        f"Segmentations/10000108_1_{CT}_LMAnnotations_1.fcsv",
        "Volumes/notes.nii.gz",
    )
    assert read(tmp_path, CT).notes == (
        "notes.nii.gz: no VISCERAL file name, left out",
        f"10000108_1_{CT}: label without image, left out",
        f"10000107_1_{CT}: image without label, left out",
    )


def test_missing_segmentations_are_an_error(tmp_path):
    touch(tmp_path, f"Volumes/10000107_1_{CT}.nii.gz")
    with pytest.raises(InputError, match="no Segmentations/"):
        read(tmp_path, CT)
