import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data import image_digests
from keras_isample.data.image_digests import case_digests
from keras_isample.data.image_digests import image_digest
from keras_isample.data.layout import Case
from keras_isample.errors import InputError
from keras_isample.volumes.files import DiskFull


def save(path, array, affine=None):
    affine = np.eye(4) if affine is None else affine
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def array():
    rng = np.random.default_rng(0)
    return rng.integers(-1000, 1000, (40, 41, 42)).astype(np.int16)


def test_copies_are_the_same_packed_or_not(tmp_path, array):
    packed = save(tmp_path / "a.nii.gz", array)
    plain = save(tmp_path / "b.nii", array)
    level = tmp_path / "c.nii.gz"
    level.write_bytes(gzip.compress(plain.read_bytes(), 1))
    assert len({image_digest(p) for p in (packed, plain, level)}) == 1


def test_header_may_be_corrected(tmp_path, array):
    one = save(tmp_path / "a.nii.gz", array)
    other = save(tmp_path / "b.nii.gz", array, np.diag([2, 2, 3, 1]))
    assert image_digest(one) == image_digest(other)


def test_one_voxel_makes_another_scan(tmp_path, array):
    one = image_digest(save(tmp_path / "a.nii.gz", array))
    array[-1, -1, -1] += 1
    assert image_digest(save(tmp_path / "b.nii.gz", array)) != one


def test_shape_makes_another_scan(tmp_path):
    one = save(tmp_path / "a.nii", np.zeros((4, 6, 5), np.int16))
    other = save(tmp_path / "b.nii", np.zeros((6, 4, 5), np.int16))
    assert image_digest(one) != image_digest(other)


def test_long_header_is_skipped(tmp_path, array):
    image = nib.Nifti1Image(array, np.eye(4))
    text = b"x" * 200000
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, text))
    nib.save(image, tmp_path / "long.nii")
    short = save(tmp_path / "a.nii", array)
    assert image_digest(tmp_path / "long.nii") == image_digest(short)


def test_other_files_are_compared_byte_by_byte(tmp_path):
    for name, value in (("a", 0), ("b", 0), ("c", 1)):
        np.save(tmp_path / f"{name}.npy", np.full((4, 4), value))
    a, b, c = (image_digest(tmp_path / f"{n}.npy") for n in "abc")
    assert a == b != c


def test_damaged_file_has_no_digest(tmp_path, array):
    path = save(tmp_path / "a.nii.gz", array)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        image_digest(path)
    good = save(tmp_path / "b.nii.gz", array)
    cases = [Case("bad", (path,)), Case("good", (good,))]
    assert list(case_digests(cases, tmp_path / "cache")) == ["good"]


def test_files_are_read_once(tmp_path, array, monkeypatch):
    path = save(tmp_path / "a.nii.gz", array)
    cases = [Case("a", (path,))]
    first = case_digests(cases, tmp_path / "cache")
    monkeypatch.setattr(image_digests, "image_digest", None)
    assert case_digests(cases, tmp_path / "cache") == first


def test_changed_file_is_read_again(tmp_path, array):
    path = save(tmp_path / "a.nii.gz", array)
    first = case_digests([Case("a", (path,))], tmp_path / "cache")
    save(path, array + np.int16(1))
    assert case_digests([Case("a", (path,))], tmp_path / "cache") != first


def test_all_channels_count(tmp_path, array):
    paths = [
        save(tmp_path / f"{k}.nii.gz", array + np.int16(k)) for k in range(3)
    ]
    shutil.copy(paths[0], tmp_path / "copy.nii.gz")
    cases = [
        Case("a", (paths[0], paths[1])),
        Case("b", (tmp_path / "copy.nii.gz", paths[1])),
        Case("c", (paths[0], paths[2])),
    ]
    found = case_digests(cases, tmp_path / "cache")
    assert found["a"] == found["b"] != found["c"]


def test_full_disk_costs_no_digest(tmp_path, array, monkeypatch):
    def full(*arguments):
        raise DiskFull(tmp_path, "is full", "Free some space")

    case = Case("a", (save(tmp_path / "a.nii", array),))
    known = case_digests([case], tmp_path / "cache")
    monkeypatch.setattr(image_digests, "write_text", full)
    assert case_digests([case], tmp_path / "other") == known != {}
