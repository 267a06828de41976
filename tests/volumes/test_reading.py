import contextlib
import functools
import gzip
import logging
import os
import struct
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.reading import read_volume

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SCL_SLOPE = 40, 70, 76, 108, 112
XYZT_UNITS, SFORM_CODE, SROW_X = 123, 254, 280
STREAM = "keras_isample.volumes.stream"
AFFINE = np.array(
    [[-1.0, 0, 0, 10], [0, 1.5, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1]]
)
COUNTED = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)

HIPPO = (35, 51, 35)
FOUR_D = "Split it into one file a channel (CASE_0000.nii.gz, CASE_0001.nii.gz)"
# Shape, type, axes, least and largest value; or words of the refusal.
CORPUS = {
    "nifti_broken/4d_trailing_1.nii.gz": (HIPPO, "uint8", "RAS", 2, 139),
    "nifti_broken/4d_two_channels.nii.gz": f"is 4D (35x51x35x2). {FOUR_D}",
    "nifti_broken/constant.nii.gz": (HIPPO, "int16", "RAS", 7, 7),
    "nifti_broken/empty.nii.gz": "is empty",
    "nifti_broken/float64_nan_inf.nii.gz": "2 voxels that are NaN or infinite",
    "nifti_broken/int16_be.nii.gz": (HIPPO, "int16", "RAS", 2, 139),
    "nifti_broken/label_float_not_integer.nii.gz": (
        HIPPO,
        "float32",
        "RAS",
        0,
        2.0001,
    ),
    "nifti_broken/label_gap_0_1_7.nii.gz": (HIPPO, "uint8", "RAS", 0, 7),
    "nifti_broken/label_wrong_shape.nii.gz": (
        (33, 51, 35),
        "uint8",
        "RAS",
        0,
        2,
    ),
    "nifti_broken/no_qform_no_sform.nii.gz": (HIPPO, "uint8", "LAS", 2, 139),
    "nifti_broken/plain_named_gz.nii.gz": (HIPPO, "uint8", "RAS", 2, 139),
    "nifti_broken/scl_inter_minus1024.nii.gz": (
        HIPPO,
        "float32",
        "RAS",
        -2046,
        -1909,
    ),
    "nifti_broken/single_slice.nii.gz": ((35, 51, 1), "uint8", "RAS", 5, 122),
    "nifti_broken/text.nii.gz": "is a Git LFS pointer",
    "nifti_broken/truncated_half.nii.gz": "is truncated",
    "nifti_nibabel/anatomical.nii": (
        (33, 41, 25),
        "int16",
        "LAS",
        -610,
        30393,
    ),
    "nifti_nibabel/doc/source/downloads/someones_anatomy.nii.gz": (
        (57, 67, 56),
        "float32",
        "RAS",
        6.67836,
        96.5554,
    ),
    "nifti_nibabel/example_nifti2.nii.gz": "is 4D (32x20x12x2)",
    "nifti_nibabel/functional.nii": "is 4D (17x21x3x20), as time series are",
    "nifti_nibabel/standard.nii.gz": ((4, 5, 7), "uint8", "RAS", 0, 255),
    "nifti_nibabel/test.mgz": "is 4D (3x4x5x2)",
    "nifti_rs/27/float64.nii": ((3, 3, 3), "float32", "RAS", 0, 26),
    **{
        f"nifti_rs/27/{name}.nii": ((3, 3, 3), name, "RAS", 0, 26)
        for name in (
            "float32",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
        )
    },
    "nifti_rs/fuzz_artifacts/crash-1.nii": "is damaged",
    "nifti_rs/minimal.nii.gz": ((64, 64, 10), "uint8", "LAS", 0, 63),
}
# Label maps have other outcomes than images for these.
LABEL_REFUSALS = {
    "nifti_broken/4d_two_channels.nii.gz": "as one-hot labels are",
    "nifti_broken/float64_nan_inf.nii.gz": "has the label nan",
    "nifti_broken/label_float_not_integer.nii.gz": "fractional label 1.0001",
    "nifti_broken/scl_inter_minus1024.nii.gz": "has the negative label -20",
    "nifti_nibabel/anatomical.nii": "has the negative label",
    "nifti_nibabel/doc/source/downloads/someones_anatomy.nii.gz": "fractional",
    "nifti_nibabel/example_nifti2.nii.gz": "as one-hot labels are",
    "nifti_nibabel/functional.nii": "as one-hot labels are",
    "nifti_nibabel/test.mgz": "as one-hot labels are",
}
WARNINGS = {
    "nifti_broken/no_qform_no_sform.nii.gz": "orientation is assumed to be LAS",
    "nifti_broken/plain_named_gz.nii.gz": "it is not compressed",
    "nifti_rs/minimal.nii.gz": "orientation is assumed to be LAS",
}


def shared(name):
    if not DATA.is_dir():
        pytest.skip("needs the folder ../shared/data beside the checkout")
    return DATA / name


def nifti(array=COUNTED, affine=AFFINE, image_class=nib.Nifti1Image, **fields):
    """The bytes of a NIfTI file with header fields set as given."""
    image = image_class(array, affine, dtype=array.dtype)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm")
    for name, value in fields.items():
        image.header[name] = value
    return image.to_bytes()


def patched(data, offset, layout, *values):
    data = bytearray(data)
    struct.pack_into(layout, data, offset, *values)
    return bytes(data)


def saved(tmp_path, data, name="scan.nii"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def refusal(path, read=read_volume):
    with pytest.raises(InputError) as error:
        read(path, warn=lambda text: None)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def warned(path, read=read_volume):
    lines = []
    return read(path, warn=lines.append), lines


@pytest.mark.parametrize("name", CORPUS)
def test_corpus_image(name):
    path, expected = shared(name), CORPUS[name]
    if isinstance(expected, str):
        assert expected in refusal(path)
        return
    shape, dtype, orientation, low, high = expected
    volume, lines = warned(path)
    assert volume.array.shape == shape
    assert volume.array.dtype == np.dtype(dtype)
    assert volume.array.dtype.isnative
    assert volume.orientation == orientation
    assert volume.array.min() == pytest.approx(low, rel=1e-5)
    assert volume.array.max() == pytest.approx(high, rel=1e-5)
    assert len(lines) == (name in WARNINGS)
    assert WARNINGS.get(name, "") in "".join(lines)


@pytest.mark.parametrize("name", CORPUS)
def test_corpus_label_map(name):
    path, expected = shared(name), LABEL_REFUSALS.get(name, CORPUS[name])
    if isinstance(expected, str):
        assert expected in refusal(path, read_label_map)
        return
    shape, _, orientation, low, high = expected
    labels, _ = warned(path, read_label_map)
    assert labels.array.shape == shape
    assert labels.array.dtype == np.uint8
    assert labels.orientation == orientation
    assert (labels.array.min(), labels.array.max()) == (low, high)


def test_corpus_is_whole():
    shared("")
    folders = ("nifti_broken", "nifti_nibabel", "nifti_rs")
    found = {
        path.relative_to(DATA).as_posix()
        for folder in folders
        for path in (DATA / folder).rglob("*.*")
        if path.is_file()
    }
    assert found == set(CORPUS)


@pytest.mark.parametrize(
    "name", [n for n, expected in CORPUS.items() if isinstance(expected, tuple)]
)
def test_corpus_equals_nibabel(name):
    path = shared(name)
    if name.endswith("plain_named_gz.nii.gz"):
        image = nib.Nifti1Image.from_bytes(path.read_bytes())
    else:
        image = nib.load(path)
    volume, _ = warned(path)
    values = np.asanyarray(image.dataobj).reshape(volume.array.shape)
    np.testing.assert_allclose(volume.array, values, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, image.affine)


@pytest.mark.parametrize(
    "dtype",
    ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4"],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_types_are_kept_in_native_order(tmp_path, dtype, order):
    header = nib.Nifti1Header(endianness=order)
    image = nib.Nifti1Image(
        COUNTED.astype(dtype), AFFINE, header, dtype=np.dtype(dtype)
    )
    volume = read_volume(saved(tmp_path, image.to_bytes()))
    assert volume.array.dtype == np.dtype(dtype)
    assert np.array_equal(volume.array, COUNTED)


def test_array_is_writable_and_not_copied(tmp_path):
    volume = read_volume(saved(tmp_path, gzip.compress(nifti()), "a.nii.gz"))
    volume.array[0, 0, 0] = 5
    assert volume.array.flags.f_contiguous
    assert volume.array.base is not None


def test_float64_becomes_float32(tmp_path):
    data = nifti(COUNTED.astype(np.float64))
    assert read_volume(saved(tmp_path, data)).array.dtype == np.float32


def test_float64_too_large_for_float32(tmp_path):
    array = np.full((2, 2, 2), 1e300)
    assert "too large for float32" in refusal(saved(tmp_path, nifti(array)))


def test_scaling_gives_float32(tmp_path):
    data = patched(nifti(), SCL_SLOPE, "<2f", 0.5, -1024)
    volume = read_volume(saved(tmp_path, data))
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, COUNTED * 0.5 - 1024)


@pytest.mark.parametrize("slope", [0.0, float("nan"), 1.0])
def test_slopes_that_mean_no_scaling_keep_integers(tmp_path, slope):
    data = patched(nifti(), SCL_SLOPE, "<2f", slope, 0)
    assert read_volume(saved(tmp_path, data)).array.dtype == np.int16


@pytest.mark.parametrize(
    "slope, intercept", [(float("inf"), 0), (2, float("nan"))]
)
def test_scaling_by_infinity_or_nan_is_refused(tmp_path, slope, intercept):
    data = patched(nifti(), SCL_SLOPE, "<2f", slope, intercept)
    assert "scales its voxels" in refusal(saved(tmp_path, data))


def test_nifti2(tmp_path):
    data = nifti(image_class=nib.Nifti2Image)
    volume = read_volume(saved(tmp_path, data))
    assert np.array_equal(volume.array, COUNTED)
    assert np.array_equal(volume.affine, AFFINE)


def test_extension_blocks_are_skipped(tmp_path):
    image = nib.Nifti1Image.from_bytes(nifti())
    extension = nib.nifti1.Nifti1Extension("comment", b"x" * 5000)
    image.header.extensions.append(extension)
    volume, lines = warned(saved(tmp_path, image.to_bytes()))
    assert np.array_equal(volume.array, COUNTED)
    assert not lines


@pytest.mark.parametrize("kind", ["mgh", "mgz"])
def test_mgh(tmp_path, kind):
    image = nib.MGHImage(COUNTED, AFFINE)
    path = tmp_path / f"scan.{kind}"
    nib.save(image, path)
    volume, lines = warned(path)
    assert np.array_equal(volume.array, COUNTED)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert not lines


def test_mgh_without_position_warns(tmp_path):
    path = tmp_path / "scan.mgh"
    nib.save(nib.MGHImage(COUNTED, AFFINE), path)
    path.write_bytes(patched(path.read_bytes(), 28, ">h", 0))
    _, (line,) = warned(path)
    assert "orientation is assumed" in line


def test_mgh_unknown_type_is_refused(tmp_path):
    path = tmp_path / "scan.mgh"
    nib.save(nib.MGHImage(COUNTED, AFFINE), path)
    path.write_bytes(patched(path.read_bytes(), 20, ">i", 5))
    assert "unknown MGH type 5" in refusal(path)


def test_oblique_affine(tmp_path):
    turn = nib.eulerangles.euler2mat(0.3, -0.2, 0.5) @ np.diag([1, 2, 3])
    affine = nib.affines.from_matvec(turn, [5, -7, 11])
    volume, lines = warned(saved(tmp_path, nifti(affine=affine)))
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    np.testing.assert_allclose(volume.spacing, (1, 2, 3), atol=1e-5)
    assert not lines


def test_sform_wins_over_qform_and_this_is_said(tmp_path):
    image = nib.Nifti1Image.from_bytes(nifti())
    other = AFFINE + np.diag([0, 0, 1, 0])
    image.header.set_sform(other, 1)
    data = nib.Nifti1Image(COUNTED, None, image.header).to_bytes()
    volume, (line,) = warned(saved(tmp_path, data))
    assert np.array_equal(volume.affine, other)
    assert volume.spacing == (1, 1.5, 3)
    assert "qform and sform differ by up to 5.5 mm" in line


def test_qform_alone(tmp_path):
    volume = read_volume(saved(tmp_path, nifti(sform_code=0)))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_qform_that_is_no_rotation_is_refused(tmp_path):
    data = patched(nifti(), SFORM_CODE, "<hf", 0, 2)
    assert "qform that is no rotation" in refusal(saved(tmp_path, data))


@pytest.mark.parametrize(
    "unit, name, factor", [(1, "meter", 1000), (3, "micron", 0.001)]
)
def test_units_become_mm(tmp_path, unit, name, factor):
    affine = np.diag([*(np.array([1, 1.5, 2]) / factor), 1])
    data = patched(nifti(affine=affine), XYZT_UNITS, "B", unit)
    volume, (line,) = warned(saved(tmp_path, data))
    np.testing.assert_allclose(volume.spacing, (1, 1.5, 2), rtol=1e-6)
    assert name in line


def test_zero_spacing_is_refused(tmp_path):
    data = patched(nifti(), PIXDIM + 8, "<f", 0)
    assert "voxel size of 0 on axis 2" in refusal(saved(tmp_path, data))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_spacing_that_is_no_number_is_refused(tmp_path, value):
    data = patched(nifti(), PIXDIM + 4, "<f", value)
    assert "voxel size of" in refusal(saved(tmp_path, data))


def test_negative_spacing_is_made_positive_and_this_is_said(tmp_path):
    data = patched(nifti(sform_code=0), PIXDIM + 4, "<f", -1)
    volume, (line,) = warned(saved(tmp_path, data))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert "voxel size on axis 1 is -1; 1 is used" in line


@pytest.mark.parametrize("size", [1e-6, 1e5])
def test_absurd_spacing_is_refused(tmp_path, size):
    data = nifti(affine=np.diag([1, size, 1, 1]))
    assert "absurd voxel size" in refusal(saved(tmp_path, data))


def test_nan_in_the_affine_is_refused(tmp_path):
    data = patched(nifti(), SROW_X, "<f", float("nan"))
    assert "NaN or infinite values in its affine" in refusal(
        saved(tmp_path, data)
    )


def test_singular_affine_is_refused(tmp_path):
    rows = (1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0)
    data = patched(nifti(), SROW_X, "<12f", *rows)
    assert "singular affine" in refusal(saved(tmp_path, data))


def test_affine_of_zeros_is_refused(tmp_path):
    data = patched(nifti(), SROW_X, "<12f", *[0] * 12)
    assert "singular affine" in refusal(saved(tmp_path, data))


def test_negative_shape_is_refused(tmp_path):
    data = patched(nifti(), DIM + 2, "<h", -4)
    assert "declares a shape of -4x5x6" in refusal(saved(tmp_path, data))


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_shape_that_no_file_can_hold_is_refused(tmp_path, name):
    data = patched(nifti(), DIM + 2, "<3h", 30000, 30000, 30000)
    data = gzip.compress(data) if name.endswith(".gz") else data
    text = refusal(saved(tmp_path, data, name))
    assert "is truncated: its header declares 54000000000352 bytes" in text


def test_shape_beyond_64_bits_is_refused(tmp_path):
    data = nifti(image_class=nib.Nifti2Image)
    data = patched(data, 16, "<4q", 3, 2**62, 2**62, 2**62)
    assert "is truncated" in refusal(saved(tmp_path, data))


def test_wrong_number_of_axes_is_refused(tmp_path):
    data = patched(nifti(), DIM, "<h", 9)
    assert "declares 9 axes" in refusal(saved(tmp_path, data))


def test_one_axis_is_refused(tmp_path):
    data = patched(nifti(), DIM, "<h", 1)
    assert "one axis only" in refusal(saved(tmp_path, data))


def test_trailing_axes_of_one_are_dropped(tmp_path):
    data = nifti(COUNTED[..., None, None])
    assert read_volume(saved(tmp_path, data)).array.shape == (4, 5, 6)


def test_five_axes_are_refused(tmp_path):
    data = nifti(np.zeros((4, 5, 6, 1, 3), np.uint8))
    assert "is 5D (4x5x6x1x3)" in refusal(saved(tmp_path, data))


def test_two_axes_become_a_slice(tmp_path):
    data = patched(nifti(COUNTED[:, :, 0]), PIXDIM + 12, "<f", 0)
    volume, lines = warned(saved(tmp_path, data))
    assert volume.array.shape == (4, 5, 1)
    assert volume.spacing == (1, 1.5, 2)
    assert not lines


def test_slice_without_thickness_is_said(tmp_path):
    data = nifti(COUNTED[:, :, :1], sform_code=0)
    volume, (line,) = warned(
        saved(tmp_path, patched(data, PIXDIM + 12, "<f", 0))
    )
    assert volume.spacing == pytest.approx((1, 1.5, 1))
    assert "no thickness" in line


@pytest.mark.parametrize(
    "code, name",
    [(128, "RGB"), (32, "complex64"), (99, "type unknown (code 99)")],
)
def test_types_that_are_no_number_are_refused(tmp_path, code, name):
    data = patched(nifti(), DATATYPE, "<h", code)
    assert name in refusal(saved(tmp_path, data))


def test_bits_that_contradict_the_type_are_said(tmp_path):
    data = patched(nifti(), DATATYPE + 2, "<h", 8)
    _, (line,) = warned(saved(tmp_path, data))
    assert "8 bits a voxel and int16" in line


def test_offset_inside_the_header_is_mended_and_said(tmp_path):
    data = patched(nifti(), VOX_OFFSET, "<f", 0)
    volume, (line,) = warned(saved(tmp_path, data))
    assert np.array_equal(volume.array, COUNTED)
    assert "byte 352 is assumed" in line


@pytest.mark.parametrize("offset", [-1, float("nan"), 1e30])
def test_absurd_offset_is_refused(tmp_path, offset):
    data = patched(nifti(), VOX_OFFSET, "<f", offset)
    assert "voxels to begin at byte" in refusal(saved(tmp_path, data))


def test_pair_of_files_is_refused(tmp_path):
    data = patched(nifti(), 344, "4s", b"ni1\0")
    assert "header of a .hdr/.img pair" in refusal(saved(tmp_path, data))


def test_analyze_is_refused(tmp_path):
    data = patched(nifti(), 344, "4s", b"\0\0\0\0")
    assert "Analyze 7.5" in refusal(saved(tmp_path, data))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_counted(tmp_path, value):
    array = COUNTED.astype(np.float32)
    array[1, 2, :3] = value
    text = refusal(saved(tmp_path, nifti(array)))
    assert "has 3 voxels that are NaN or infinite. Replace them" in text


@pytest.mark.parametrize("length", [1, 100, 348, 352, 400, 591])
def test_truncated_plain_file(tmp_path, length):
    path = saved(tmp_path, nifti()[:length])
    assert "is truncated" in refusal(path) or length < 100


@pytest.mark.parametrize("length", [3, 11, 60, -1, -8])
def test_truncated_gzip_file(tmp_path, length):
    data = gzip.compress(nifti())[:length]
    assert "is truncated" in refusal(saved(tmp_path, data, "a.nii.gz"))


def test_empty_file(tmp_path):
    assert "is empty" in refusal(saved(tmp_path, b""))


def test_gzip_of_nothing(tmp_path):
    text = refusal(saved(tmp_path, gzip.compress(b""), "a.nii.gz"))
    assert "not a NIfTI or MGH file" in text


@pytest.mark.parametrize("level", [0, 1, 9])
def test_every_flipped_bit_of_a_gzip_payload_is_found(tmp_path, level):
    random = np.random.default_rng(0)
    array = random.integers(0, 50, (8, 9, 10)).astype(np.int16)
    plain = nifti(array)
    data = gzip.compress(plain, level, mtime=0)
    places = random.integers(10 * 8, len(data) * 8, 150)
    harmless = 0
    for place in places:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << (place % 8)
        if inflated(damaged) == plain:
            # Deflate leaves up to seven bits unused at the end of a block.
            harmless += 1
            continue
        text = refusal(saved(tmp_path, bytes(damaged), "a.nii.gz"))
        assert "is damaged: " in text or "is truncated: " in text
    assert harmless < 5


def inflated(data):
    with contextlib.suppress(zlib.error):
        return zlib.decompress(bytes(data), wbits=31)


def test_gzip_members_are_joined(tmp_path):
    data = nifti()
    members = (
        gzip.compress(data[:400]) + b"\0" * 512 + gzip.compress(data[400:])
    )
    volume, lines = warned(saved(tmp_path, members, "a.nii.gz"))
    assert np.array_equal(volume.array, COUNTED)
    assert not lines


def test_damaged_second_gzip_member_is_found(tmp_path):
    data = nifti()
    members = bytearray(gzip.compress(data) + gzip.compress(b"more"))
    members[-6] ^= 1
    text = refusal(saved(tmp_path, bytes(members), "a.nii.gz"))
    assert "is damaged: incorrect data check" in text


@pytest.mark.parametrize("rest", [b"garbage", b"g", b"\0\0\0g"])
def test_garbage_behind_gzip_is_ignored_and_said(tmp_path, rest):
    data = gzip.compress(nifti()) + rest
    volume, (line,) = warned(saved(tmp_path, data, "a.nii.gz"))
    assert np.array_equal(volume.array, COUNTED)
    assert "is not gzip" in line


def test_zeros_behind_gzip_are_padding(tmp_path):
    data = gzip.compress(nifti()) + b"\0" * 100
    _, lines = warned(saved(tmp_path, data, "a.nii.gz"))
    assert not lines


def test_bytes_behind_the_voxels_are_said(tmp_path):
    _, (line,) = warned(saved(tmp_path, nifti() + b"123"))
    assert "3 bytes behind the voxels" in line


def test_decompression_bomb_is_stopped(tmp_path):
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(nifti())
    for _ in range(80):
        data += packer.compress(bytes(1 << 20))
    path = saved(tmp_path, data + packer.flush(), "bomb.nii.gz")
    assert "far more than the 592 bytes" in refusal(path)


def test_gzip_named_nii(tmp_path):
    volume, lines = warned(saved(tmp_path, gzip.compress(nifti()), "scan.nii"))
    assert np.array_equal(volume.array, COUNTED)
    assert not lines


@pytest.mark.parametrize(
    "data, words",
    [
        (b"not a scan\n", "is a text file"),
        (b"{}" * 400, "is a text file"),
        (b"<html>\xc3\xa4" + b"x" * 800, "is a text file"),
        (b"../.git/annex/objects/xy/SHA256", "is a git-annex pointer"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (bytes(128) + b"DICM" + bytes(500), "is a DICOM file"),
        (b"NRRD0004\n" + bytes(500), "is an NRRD file"),
        (b"\x89PNG\r\n" + bytes(500), "is a PNG picture"),
        (b"PK\x03\x04" + bytes(500), "is a ZIP archive"),
        (bytes(1000), "is not a NIfTI or MGH file"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_files_are_named(tmp_path, data, words, packed):
    data = gzip.compress(data) if packed else data
    assert words in refusal(saved(tmp_path, data, "scan.nii.gz"))


def test_gzip_in_gzip_is_named(tmp_path):
    data = gzip.compress(gzip.compress(nifti(), mtime=0))
    text = refusal(saved(tmp_path, data, "scan.nii.gz"))
    assert "is compressed twice" in text


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "none.nii.gz")


def test_file_used_as_folder(tmp_path):
    path = saved(tmp_path, nifti())
    assert "cannot be read: Not a directory" in refusal(path / "scan.nii")


def test_link_to_nothing(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.symlink_to(tmp_path / "none")
    assert "is a link to a file that is not there" in refusal(path)


def test_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_pipe_is_refused_and_does_not_hang(tmp_path):
    path = tmp_path / "pipe.nii"
    os.mkfifo(path)
    assert "is not a regular file" in refusal(path)


def test_name_with_a_null_character():
    assert "is not a path" in refusal("scan\0.nii")


def test_permission_denied(tmp_path, monkeypatch):
    path = saved(tmp_path, nifti())

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(f"{STREAM}.open", refuse, raising=False)
    assert "permission denied" in refusal(path)


def test_failing_disk(tmp_path, monkeypatch):
    path = saved(tmp_path, nifti())

    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(f"{STREAM}.open", fail, raising=False)
    assert "cannot be read: Input/output error" in refusal(path)


def test_lack_of_memory(tmp_path, monkeypatch):
    path = saved(tmp_path, patched(nifti(), SCL_SLOPE, "<f", 2))

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("numpy.empty", fail)
    assert "does not fit into memory" in refusal(path)


def test_warnings_are_logged_on_one_line(tmp_path, caplog):
    path = saved(tmp_path, nifti(), "scan.nii.gz")
    with caplog.at_level(logging.WARNING):
        read_volume(path)
    (record,) = caplog.records
    assert record.name == "keras_isample.volumes.reading"
    assert record.getMessage().startswith(f"{path}: ")


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u2"])
def test_label_map_becomes_uint8(tmp_path, dtype):
    array = (COUNTED % 3).astype(dtype)
    labels = read_label_map(saved(tmp_path, nifti(array)))
    assert labels.array.dtype == np.uint8
    assert np.array_equal(labels.array, COUNTED % 3)


@pytest.mark.parametrize("dtype", ["f4", "i4", "u2"])
def test_label_map_up_to_65535(tmp_path, dtype):
    array = np.array(COUNTED % 3, dtype)
    array[1, 2, 3] = 65535
    labels = read_label_map(saved(tmp_path, nifti(array)))
    assert labels.array.dtype == np.uint16
    assert np.array_equal(labels.array, array)


def test_labels_off_by_rounding_are_accepted(tmp_path):
    array = (COUNTED % 3).astype(np.float32) * np.float32(1 - 1e-6)
    labels = read_label_map(saved(tmp_path, nifti(array)))
    assert np.array_equal(labels.array, COUNTED % 3)


@pytest.mark.parametrize(
    "dtype, value, words",
    [
        ("f4", 1.5, "fractional label 1.5"),
        ("f4", float("nan"), "label nan"),
        ("f8", float("-inf"), "label -inf"),
        ("f4", -2, "negative label -2"),
        ("i2", -1, "negative label -1"),
        ("i4", 65536, "label 65536, above 65535"),
        ("u8", 2**64 - 1, "above 65535"),
    ],
)
def test_values_that_are_no_labels(tmp_path, dtype, value, words):
    array = np.zeros((4, 5, 6), dtype)
    array[1, 2, 3] = value
    assert words in refusal(saved(tmp_path, nifti(array)), read_label_map)


def test_scaled_label_map(tmp_path):
    data = patched(nifti(COUNTED % 3), SCL_SLOPE, "<2f", 2, 1)
    labels = read_label_map(saved(tmp_path, data))
    assert np.array_equal(labels.array, COUNTED % 3 * 2 + 1)


def stored_labels(tmp_path, labels, dtype):
    """Labels that nibabel scales into the range of an integer type."""
    image = nib.Nifti1Image(labels.astype(np.float64), AFFINE)
    image.header.set_data_dtype(dtype)
    path = tmp_path / f"{np.dtype(dtype).name}.nii"
    nib.save(image, path)
    assert nib.load(path).dataobj.slope != 1
    return path


@pytest.mark.parametrize("most", [1, 2, 3, 7, 11, 40, 90])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2"])
def test_labels_scaled_by_the_header_are_read(tmp_path, dtype, most):
    labels = COUNTED % (most + 1)
    path = stored_labels(tmp_path, labels, dtype)
    read = read_label_map(path)
    assert read.array.dtype == np.uint8
    assert np.array_equal(read.array, labels)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2"])
def test_sparse_labels_scaled_by_the_header_are_read(tmp_path, dtype):
    labels = np.where(COUNTED % 2, 100, 3 * (COUNTED % 4 == 0))
    path = stored_labels(tmp_path, labels, dtype)
    assert np.array_equal(read_label_map(path).array, labels)


@pytest.mark.parametrize("dtype, top", [("u1", 255), ("i1", 127), ("i2", 999)])
def test_mask_with_a_slope_and_an_intercept_is_read(tmp_path, dtype, top):
    stored = np.where(COUNTED % 3, top, 0).astype(dtype)
    data = patched(nifti(stored), SCL_SLOPE, "<2f", 1 / top, 0)
    labels = read_label_map(saved(tmp_path, data)).array
    assert np.array_equal(labels, stored > 0)
    data = patched(nifti(stored), SCL_SLOPE, "<2f", -1 / top, 1)
    labels = read_label_map(saved(tmp_path, data)).array
    assert np.array_equal(labels, stored == 0)


@pytest.mark.parametrize(
    "dtype, slope, intercept, label",
    [
        ("u1", 1 / 255, 0, "0.00392157"),
        ("i2", 1 / 32767, 0, "3.05185e-05"),
        ("i2", 1, 0.5, "0.5"),
        ("i2", 1.5, 0, "1.5"),
        ("i2", 0.5, 0, "0.5"),
    ],
)
def test_scaled_soft_labels_are_refused(
    tmp_path, dtype, slope, intercept, label
):
    data = nifti((COUNTED == 40).astype(dtype))
    data = patched(data, SCL_SLOPE, "<2f", slope, intercept)
    text = refusal(saved(tmp_path, data), read_label_map)
    assert f"fractional label {label}, " in text
    assert "scales stored numbers" in text


def test_scaled_negative_labels_are_refused(tmp_path):
    data = patched(nifti(COUNTED % 3), SCL_SLOPE, "<2f", 0.5, -1)
    text = refusal(saved(tmp_path, data), read_label_map)
    assert "negative label -1" in text or "fractional label -0.5" in text


@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (1, 1, 4, 5, 6, 1)])
def test_leading_axes_of_one_are_dropped_and_this_is_said(tmp_path, shape):
    path = saved(tmp_path, nifti(COUNTED.reshape(shape)))
    volume, (line,) = warned(path)
    assert np.array_equal(volume.array, COUNTED)
    assert np.array_equal(volume.affine, AFFINE)
    assert "the leading 1 is dropped" in line
    assert read_grid(path, warn=str).shape == (4, 5, 6)


def test_a_single_slice_across_the_first_axis_stays_one(tmp_path):
    volume, lines = warned(saved(tmp_path, nifti(COUNTED[:1])))
    assert volume.array.shape == (1, 5, 6)
    assert not lines


def test_a_time_series_is_called_one(tmp_path):
    data = nifti(np.zeros((6, 5, 4, 30), np.int16))
    text = refusal(saved(tmp_path, data))
    assert "is 4D (6x5x4x30), as time series are: 30 volumes. Save the" in text


def test_channels_that_come_first_are_split_along_the_first_axis(tmp_path):
    data = nifti(np.zeros((2, 16, 15, 14), np.int16))
    text = refusal(saved(tmp_path, data))
    assert "is 4D (2x16x15x14). Split it along its first axis into" in text


@pytest.mark.parametrize("shape", [(16, 15, 14, 3), (3, 16, 15, 14)])
def test_one_hot_labels_are_called_so(tmp_path, shape):
    path = saved(tmp_path, nifti(np.zeros(shape, np.uint8)))
    for read in (read_label_map, functools.partial(read_grid, labels=True)):
        assert "as one-hot labels are" in refusal(path, read)
        assert "argmax" in refusal(path, read)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_grid_is_read_without_voxels(tmp_path, name):
    data = patched(nifti(COUNTED.astype("f4")), 400, "<f", float("nan"))
    data = gzip.compress(data) if name.endswith(".gz") else data
    grid = read_grid(saved(tmp_path, data, name))
    assert grid.shape == (4, 5, 6)
    assert np.array_equal(grid.affine, AFFINE)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mgh"])
def test_random_damage_gives_a_volume_or_an_input_error(tmp_path, name):
    random = np.random.default_rng(7)
    array = random.normal(0, 100, (5, 6, 7)).astype(np.float32)
    if name.endswith(".mgh"):
        nib.save(nib.MGHImage(array, AFFINE), tmp_path / name)
        data = (tmp_path / name).read_bytes()
    else:
        data = nifti(array)
        data = gzip.compress(data) if name.endswith(".gz") else data
    for _ in range(200):
        damaged = bytearray(data)
        # Half of the damage goes to the header.
        last = int(random.choice([360, len(data)]))
        for place in random.integers(0, last, random.integers(1, 6)):
            damaged[place] = random.integers(256)
        if random.random() < 0.1:
            del damaged[random.integers(len(damaged)) :]
        path = saved(tmp_path, bytes(damaged), name)
        for read in (read_volume, read_label_map, read_grid):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    found, lines = warned(path, read)
                except InputError as error:
                    assert "\n" not in str(error)
                    continue
            assert all(line.startswith(f"{path}: ") for line in lines)
            assert np.isfinite(found.affine).all()
            assert np.linalg.det(found.affine[:3, :3]) != 0
            if read is not read_grid:
                assert np.isfinite(found.array).all()
