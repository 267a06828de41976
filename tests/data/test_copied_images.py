"""Images where labels should be."""

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data.cohort import read_cohort
from keras_isample.data.copied_images import refuse_copy
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.preparation import prepare_cohort
from keras_isample.errors import InputError

RNG = np.random.default_rng(0)


def save(path, array, codes="RAS"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([1.0, 2, 3, 1]))
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
    )
    nib.save(image.as_reoriented(change), path)


def few():
    return RNG.integers(0, 3, (5, 6, 7)).astype(np.uint8)


def scan():
    return RNG.integers(-900, 900, (5, 6, 7)).astype(np.int16)


def gray():
    return RNG.integers(0, 200, (5, 6, 7)).astype(np.uint8)


def write(root, image, label, codes="RAS"):
    save(root / "images/a.nii.gz", image)
    save(root / "labels/a.nii.gz", label, codes)
    save(root / "images/b.nii.gz", scan())
    save(root / "labels/b.nii.gz", few())
    return root


def refusals(root, tmp_path):
    """What reading or preparing says, and what inspecting says."""
    found = []
    for use in (inspect_cohort, prepare_cohort):
        try:
            cohort = read_cohort(root, spacing=None, cache=tmp_path / "cache")
            problems = [text for r in use(cohort) or () for text in r.problems]
        except InputError as error:
            problems = [str(error)]
        found.append(problems)
    return found


@pytest.mark.parametrize("kind", [few, scan, gray])
@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR"])
def test_a_label_map_that_is_the_image_is_refused(tmp_path, kind, codes):
    image = kind()
    root = write(tmp_path / "data", image, image, codes)
    for problems in refusals(root, tmp_path):
        (text,) = problems
        assert text.startswith(f"{root}/labels/a.nii.gz: holds the same voxels")
        assert f"as the image {root}/images/a.nii.gz" in text


def test_labels_like_the_image_but_for_a_voxel_are_read(tmp_path):
    image = few()
    label = image.copy()
    label[0, 0, 0] ^= 1
    root = write(tmp_path / "data", image, label)
    cohort = read_cohort(root, spacing=None, cache=tmp_path / "cache")
    assert all(report.trainable for report in inspect_cohort(cohort))
    assert len(prepare_cohort(cohort)) == 2


def test_an_empty_label_map_of_an_empty_image_is_no_copy(tmp_path):
    empty = np.zeros((5, 6, 7), np.uint8)
    root = write(tmp_path / "data", empty, empty)
    cohort = read_cohort(root, spacing=None, cache=tmp_path / "cache")
    assert all(report.trainable for report in inspect_cohort(cohort))
    assert len(prepare_cohort(cohort)) == 2


def test_what_cannot_be_read_is_no_copy(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"no scan")
    refuse_copy(tmp_path / "a.nii", [tmp_path / "a.nii"])


def test_a_mask_that_is_the_image_is_refused(tmp_path):
    stem = "10000100_1_CTce_ThAb"
    image = scan()
    save(tmp_path / f"data/Volumes/{stem}.nii.gz", image)
    save(tmp_path / f"data/Segmentations/{stem}_58_1.nii.gz", image)
    cohort = read_cohort(tmp_path / "data", ["liver"], cache=tmp_path / "cache")
    with pytest.raises(InputError, match="58_1.nii.gz: holds the same voxels"):
        prepare_cohort(cohort)
    (report,) = inspect_cohort(cohort)
    (problem,) = report.problems
    assert "58_1.nii.gz: holds the same voxels" in problem
