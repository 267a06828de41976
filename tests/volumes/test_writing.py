import gzip
import os

import nibabel as nib
import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_volume
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

AFFINE = np.array(
    [[-1.0, 0, 0, 10], [0, 0, 1.5, -20], [0, 2, 0, 5], [0, 0, 0, 1]]
)
COUNTED = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
SCAN = Volume(COUNTED, AFFINE)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "a.b.NII.GZ"])
def test_what_is_written_reads_back(tmp_path, name):
    write_volume(tmp_path / name, SCAN)
    volume = read_volume(tmp_path / name)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, COUNTED)
    assert np.array_equal(volume.affine, AFFINE)


def test_name_decides_about_compression(tmp_path):
    write_volume(tmp_path / "a.nii", SCAN)
    write_volume(tmp_path / "a.nii.gz", SCAN)
    packed = gzip.decompress((tmp_path / "a.nii.gz").read_bytes())
    assert packed == (tmp_path / "a.nii").read_bytes()


def test_header_is_complete(tmp_path):
    write_volume(tmp_path / "a.nii.gz", SCAN)
    header = nib.load(tmp_path / "a.nii.gz").header
    qform, qform_code = header.get_qform(coded=True)
    sform, sform_code = header.get_sform(coded=True)
    assert (qform_code, sform_code) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert np.array_equal(sform, AFFINE)
    np.testing.assert_allclose(qform, AFFINE, atol=1e-5)
    np.testing.assert_allclose(header.get_zooms(), SCAN.spacing, atol=1e-6)


def test_sheared_affine_is_exact_in_the_sform(tmp_path):
    affine = AFFINE.copy()
    affine[0, 1] = 0.5
    write_volume(tmp_path / "a.nii", Volume(COUNTED, affine))
    header = nib.load(tmp_path / "a.nii").header
    assert np.array_equal(header.get_sform(), affine)
    assert (header["qform_code"], header["sform_code"]) == (1, 1)
    assert not np.allclose(header.get_qform(), affine)


@pytest.mark.parametrize(
    "dtype, stored",
    [
        ("bool", "uint8"),
        ("float16", "float32"),
        ("float64", "float32"),
        ("float32", "float32"),
        ("uint8", "uint8"),
        ("int8", "int8"),
        ("uint32", "uint32"),
        ("int64", "uint8"),
        ("uint64", "uint8"),
        (">i2", "int16"),
    ],
)
def test_types(tmp_path, dtype, stored):
    array = (COUNTED % 2).astype(dtype)
    write_volume(tmp_path / "a.nii", Volume(array, AFFINE))
    volume = read_volume(tmp_path / "a.nii")
    assert volume.array.dtype == np.dtype(stored)
    assert np.array_equal(volume.array, COUNTED % 2)


@pytest.mark.parametrize(
    "value, stored",
    [(-1, "int16"), (300, "int16"), (40000, "uint16"), (2**31, "uint32")],
)
def test_int64_becomes_the_smallest_type_that_holds_it(tmp_path, value, stored):
    array = np.full((2, 2, 2), value, np.int64)
    write_volume(tmp_path / "a.nii", Volume(array, AFFINE))
    volume = read_volume(tmp_path / "a.nii")
    assert volume.array.dtype == np.dtype(stored)
    assert volume.array[0, 0, 0] == value


@pytest.mark.parametrize(
    "array",
    [np.full((2, 2, 2), 2**40), np.zeros((2, 2, 2), complex)],
)
def test_what_nifti_can_not_hold_is_refused(tmp_path, array):
    with pytest.raises(InputError, match="can not hold voxels of type"):
        write_volume(tmp_path / "a.nii", Volume(array, AFFINE))
    assert not list(tmp_path.iterdir())


def test_channels_behind_the_spatial_axes(tmp_path):
    array = np.zeros((2, 3, 4, 5), np.float32)
    write_volume(tmp_path / "a.nii", Volume(array, AFFINE))
    assert nib.load(tmp_path / "a.nii").shape == (2, 3, 4, 5)


def test_axes_too_long_for_nifti1(tmp_path):
    array = np.zeros((40000, 1, 1), np.uint8)
    write_volume(tmp_path / "a.nii", Volume(array, AFFINE))
    assert read_volume(tmp_path / "a.nii").shape == (40000, 1, 1)


def test_existing_file_is_kept(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        write_volume(path, SCAN)
    assert path.read_bytes() == b"mine"


def test_existing_file_is_replaced_on_request(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"mine")
    write_volume(path, SCAN, overwrite=True)
    assert np.array_equal(read_volume(path).array, COUNTED)


@pytest.mark.parametrize("name", ["scan", "scan.nrrd", "scan.gz", "scan.mgz"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="End it in .nii.gz, .nii, .png"):
        write_volume(tmp_path / name, SCAN)


def test_folder_is_refused(tmp_path):
    (tmp_path / "a.nii").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_volume(tmp_path / "a.nii", SCAN, overwrite=True)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file or directory"):
        write_volume(tmp_path / "none" / "a.nii", SCAN)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space"), KeyboardInterrupt()]
)
def test_failure_keeps_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, error
):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"mine")

    def fail(handle):
        raise error

    monkeypatch.setattr("os.fsync", fail)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_volume(path, SCAN, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]
    assert path.read_bytes() == b"mine"


def test_equal_volumes_give_equal_files(tmp_path):
    write_volume(tmp_path / "a.nii.gz", SCAN)
    write_volume(tmp_path / "b.nii.gz", SCAN)
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    assert first.read_bytes() == second.read_bytes()


def test_rights_are_those_of_other_new_files(tmp_path):
    write_volume(tmp_path / "a.nii", SCAN)
    (tmp_path / "plain").write_bytes(b"")
    modes = {os.stat(path).st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_nan_in_the_affine_is_refused(tmp_path):
    affine = AFFINE.copy()
    affine[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        write_volume(tmp_path / "a.nii", Volume(COUNTED, affine))


def test_what_is_no_volume_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a `Volume`.*ndarray"):
        write_volume(tmp_path / "a.nii.gz", np.zeros((3, 3, 3)))
    assert not list(tmp_path.iterdir())
