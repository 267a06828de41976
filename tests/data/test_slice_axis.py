"""Which way scans are cut."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import Case
from keras_isample.data.slice_axis import all_single_slices
from keras_isample.data.slice_axis import slice_axis
from keras_isample.data.structures import LabelClass
from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_volume


@dataclass
class Scan:
    shape: tuple
    spacing: tuple
    name: str = "scan"


def save(path, shape, spacing, codes="RAS"):
    """A scan of this shape and spacing in RAS+, stored in other directions."""
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), np.diag([*spacing, 1]))
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"),
        nib.orientations.axcodes2ornt(codes),
    )
    nib.save(image.as_reoriented(change), path)
    return Case(path.name, (path,))


def cohort(cases):
    return Cohort(
        path=Path("data"),
        layout="images/ + labels/",
        cases=tuple(cases),
        structures={"liver": 1},
        classes=(LabelClass("liver", ("liver",)),),
        channel_names=("MR",),
    )


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [([(5, 1, 7), (6, 1, 7)], True), ([(5, 1, 7), (5, 2, 7)], False)],
)
def test_single_slices(tmp_path, shapes, expected):
    cases = [
        save(tmp_path / f"{i}.nii.gz", shape, (1, 4, 1), "PSL")
        for i, shape in enumerate(shapes)
    ]
    assert all_single_slices(cohort(cases)) is expected
    scans = [Scan(shape, (1, 4, 1)) for shape in shapes]
    assert all_single_slices(scans) is expected


@pytest.mark.parametrize("axis, number", [("sagittal", 0), ("axial", 2)])
def test_named_axis_is_taken(axis, number):
    assert slice_axis([Scan((5, 6, 7), (1, 9, 1))], axis) == number


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("codes", ["RAS", "PLI", "SAL", "IRP"])
def test_slices_lie_across_the_largest_spacing(tmp_path, number, codes):
    spacing = [1.0, 1.0, 1.0]
    spacing[number] = 3
    case = save(tmp_path / "a.nii.gz", (5, 6, 7), spacing, codes)
    assert slice_axis(cohort([case])) == number
    assert slice_axis([case]) == number


def test_oblique_scan_counts_by_its_closest_axis(tmp_path):
    angle = np.radians(20)
    turn = np.eye(4)
    turn[1:3, 1:3] = [
        [np.cos(angle), -np.sin(angle)],
        [np.sin(angle), np.cos(angle)],
    ]
    affine = turn @ np.diag([1, 4, 1, 1])
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4)), affine), tmp_path / "a.nii")
    assert slice_axis([Case("a", (tmp_path / "a.nii",))]) == 1


def test_equal_spacing_is_cut_axially():
    assert slice_axis([Scan((5, 6, 7), (1, 1.0004, 1))]) == 2
    assert slice_axis([Scan((5, 6, 7), (2, 2, 1))]) == 1


def test_median_of_the_cases_counts():
    scans = [Scan((5, 6, 7), (1, 1, 1.5))] * 3 + [Scan((5, 6, 7), (9, 1, 1))]
    assert slice_axis(scans) == 2


@pytest.mark.parametrize("number", [0, 1, 2])
def test_single_slices_decide_whatever_their_spacing(number):
    shape = [5, 6, 7]
    shape[number] = 1
    scans = [Scan(tuple(shape), (1, 1, 1))] * 2
    assert slice_axis(scans) == number
    assert slice_axis([*scans, Scan((5, 6, 7), (2, 3, 4))]) == number


def test_picture_is_one_slice(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)
    assert slice_axis([Case("a", (path,))]) == 2


def test_line_of_voxels_fits_slices_across_either_axis():
    scans = [Scan((1, 1, 5), (1, 1, 1)), Scan((1, 4, 5), (1, 1, 1))]
    assert slice_axis(scans) == 0


def test_2d_files_across_different_axes_are_refused():
    scans = [Scan((5, 6, 1), (1, 1, 1), name) for name in "ab"]
    scans.append(Scan((1, 5, 6), (1, 1, 1), "c"))
    with pytest.raises(InputError) as error:
        slice_axis(scans)
    assert str(error.value).startswith("c: is a single sagittal slice")


def test_axis_along_2d_files_is_refused(tmp_path):
    case = save(tmp_path / "a.nii.gz", (5, 6, 1), (1, 1, 1))
    with pytest.raises(
        InputError, match="`axis='auto'` or `axis='axial'`"
    ) as e:
        slice_axis([case], "coronal")
    assert str(e.value).startswith(f"{case.images[0]}: is a single axial slice")


def test_unknown_axis_and_no_cases_are_refused():
    with pytest.raises(InputError, match="received 'z'"):
        slice_axis([Scan((5, 6, 7), (1, 1, 1))], "z")
    with pytest.raises(InputError, match="no cases"):
        slice_axis([])


def test_voxels_are_not_looked_at(tmp_path):
    array = np.full((5, 6, 7), np.nan, np.float32)
    nib.save(nib.Nifti1Image(array, np.diag([1, 1, 4, 1])), tmp_path / "a.nii")
    with pytest.raises(InputError, match="NaN"):
        read_volume(tmp_path / "a.nii")
    assert slice_axis([Case("a", (tmp_path / "a.nii",))]) == 2


def test_damaged_header_is_named(tmp_path):
    (tmp_path / "a.nii").write_text("nothing")
    with pytest.raises(InputError, match="is a text file"):
        slice_axis([Case("a", (tmp_path / "a.nii",))])
