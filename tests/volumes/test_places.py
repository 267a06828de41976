import os

import pytest

from keras_isample.volumes.places import KnownFiles
from keras_isample.volumes.places import is_same_place
from keras_isample.volumes.places import is_within


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scans/a.nii.gz"
    path.parent.mkdir()
    path.write_text("voxels")
    return path


def test_file_is_found_however_its_path_is_written(scan, monkeypatch):
    monkeypatch.chdir(scan.parent)
    known = KnownFiles([scan])
    for path in ("a.nii.gz", "./a.nii.gz", "../scans/a.nii.gz"):
        assert known.find(path) == scan
    assert known.find("b.nii.gz") is None


def test_links_lead_to_the_file(tmp_path, scan):
    (tmp_path / "soft.nii.gz").symlink_to(scan)
    os.link(scan, tmp_path / "hard.nii.gz")
    (tmp_path / "folder").symlink_to(scan.parent)
    known = KnownFiles([scan])
    for name in ("soft.nii.gz", "hard.nii.gz", "folder/a.nii.gz"):
        assert known.find(tmp_path / name) == scan


def test_files_known_by_a_link_are_found(tmp_path, scan):
    link = tmp_path / "soft.nii.gz"
    link.symlink_to(scan)
    assert KnownFiles([link]).find(scan) == link


def test_copy_is_another_file(tmp_path, scan):
    (tmp_path / "copy.nii.gz").write_bytes(scan.read_bytes())
    assert KnownFiles([scan]).find(tmp_path / "copy.nii.gz") is None


def test_file_that_does_not_exist_is_known_by_its_path(tmp_path):
    known = KnownFiles([tmp_path / "later.nii"])
    assert known.find(tmp_path / "x/../later.nii") == tmp_path / "later.nii"


def test_folders_are_compared_where_they_lead(tmp_path, scan):
    (tmp_path / "link").symlink_to(scan.parent)
    assert is_same_place(f"{tmp_path}/scans/", tmp_path / "link")
    assert not is_same_place(tmp_path, scan.parent)


def test_what_lies_within_a_folder(tmp_path, scan):
    (tmp_path / "link").symlink_to(scan.parent)
    assert is_within(scan, tmp_path / "link")
    assert is_within(scan.parent, scan.parent)
    assert is_within(scan.parent / "new/run", tmp_path)
    assert not is_within(tmp_path, scan.parent)
