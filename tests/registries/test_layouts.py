"""A layout from elsewhere is recognized."""

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data import read_cohort
from keras_isample.data import register_layout
from keras_isample.data.layout import Case
from keras_isample.data.layout import Layout
from keras_isample.errors import InputError
from keras_isample.registries import LAYOUTS


def read(path, modality, cache):
    """Scans named in a list, with their label maps beside them."""
    if not (path / "scans.txt").exists():
        return None
    names = (path / "scans.txt").read_text().split()
    cases = tuple(
        Case(name, (path / f"{name}.nii",), path / f"{name}-labels.nii")
        for name in names
    )
    return Layout("ours", cases, {"tumor": 1}, ("CT",))


@pytest.fixture
def registered():
    register_layout("ours", read, "ours (scans.txt)")
    yield
    LAYOUTS.remove("ours")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scans.txt").write_text("a b")
    for name in ("a", "b"):
        values = np.zeros((4, 4, 4), np.int16)
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii")
        values[1, 1, 1] = 1
        labels = nib.Nifti1Image(values, np.eye(4))
        nib.save(labels, tmp_path / f"{name}-labels.nii")
    return tmp_path


@pytest.mark.usefixtures("registered")
def test_a_layout_from_elsewhere_is_recognized(folder):
    cohort = read_cohort(folder)
    assert cohort.layout == "ours"
    assert [case.name for case in cohort.cases] == ["a", "b"]
    assert [c.name for c in cohort.classes] == ["tumor"]


@pytest.mark.usefixtures("registered")
def test_it_wins_over_ours(folder):
    for name in ("images", "labels"):
        (folder / name).mkdir()
        source = "a.nii" if name == "images" else "a-labels.nii"
        (folder / name / "c.nii").write_bytes((folder / source).read_bytes())
    assert read_cohort(folder).layout == "ours"
    LAYOUTS.remove("ours")
    assert read_cohort(folder).layout != "ours"


@pytest.mark.usefixtures("registered")
def test_messages_name_it(tmp_path):
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(InputError, match=r"or ours \(scans.txt\)"):
        read_cohort(tmp_path)


def test_without_it_nothing_is_recognized(folder):
    with pytest.raises(InputError, match="no data set recognized"):
        read_cohort(folder)
