"""PNG and NPY files as volumes of one slice, and back."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_isample.errors import InputError
from keras_isample.volumes.reading import count_channels
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.reading import read_volume
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import to_canonical
from keras_isample.volumes.writing import write_volume

# Three rows of four pixels.
ROWS = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 255]], np.uint8)


def png(tmp_path, pixels, name="a.png", **options):
    Image.fromarray(np.asarray(pixels)).save(tmp_path / name, **options)
    return tmp_path / name


def npy(tmp_path, array, name="a.npy"):
    np.save(tmp_path / name, array, allow_pickle=True)
    return tmp_path / name


def saved(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def refusal(path, read=read_volume):
    with pytest.raises(InputError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def raw_png(width, height, bits, color, rows, *extra, interlaced=0):
    """A PNG of rows that are packed by hand."""
    size = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", size),
            *extra,
            chunk(b"IDAT", body),
            chunk(b"IEND", b""),
        ]
    )


def test_column_is_x_and_row_is_y(tmp_path):
    volume = read_volume(png(tmp_path, ROWS))
    assert volume.shape == (4, 3, 1)
    assert volume.array.dtype == np.uint8
    assert volume.array[3, 1, 0] == 7
    assert np.array_equal(volume.affine, np.eye(4))
    volume.array[0, 0, 0] = 1


def test_picture_is_canonical_as_it_is(tmp_path):
    volume = read_volume(png(tmp_path, ROWS))
    assert np.array_equal(to_canonical(volume).array, volume.array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_round_trip_keeps_every_pixel(tmp_path, dtype):
    pixels = ROWS.astype(dtype) * (200 if dtype == np.uint16 else 1)
    volume = read_volume(png(tmp_path, pixels))
    write_volume(tmp_path / "b.png", volume)
    with Image.open(tmp_path / "b.png") as picture:
        assert np.array_equal(np.asarray(picture), pixels)
        assert picture.mode == ("I;16" if dtype == np.uint16 else "L")


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (1, 4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, ">i2"])
@pytest.mark.parametrize("order", "CF")
def test_npy_round_trip_keeps_every_number(tmp_path, shape, dtype, order):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=order)
    volume = read_volume(npy(tmp_path, array))
    write_volume(tmp_path / "b.npy", volume)
    again = np.load(tmp_path / "b.npy", allow_pickle=False)
    assert np.array_equal(again, array)
    assert again.dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("order", "CF")
def test_npy_of_a_picture_is_the_picture(tmp_path, order):
    array = np.array(ROWS, order=order)
    for stored in (array, array[:, :, None]):
        volume = read_volume(npy(tmp_path, stored))
        expected = read_volume(png(tmp_path, ROWS))
        assert np.array_equal(volume.array, expected.array)
        assert np.array_equal(volume.affine, expected.affine)


def test_npy_of_three_axes_is_a_volume(tmp_path):
    array = np.arange(24.0).reshape(2, 3, 4)
    volume = read_volume(npy(tmp_path, array))
    assert np.array_equal(volume.array, array)
    assert volume.array.dtype == np.float32


def test_npy_mask_of_booleans_is_a_label_map(tmp_path):
    labels = read_label_map(npy(tmp_path, ROWS > 4))
    assert labels.array.dtype == np.uint8
    assert labels.array.sum() == 7


def test_grid_comes_from_the_header(tmp_path):
    for path in (png(tmp_path, ROWS), npy(tmp_path, ROWS)):
        assert read_grid(path).shape == (4, 3, 1)
        assert np.array_equal(read_grid(path).affine, np.eye(4))
    data = (tmp_path / "a.npy").read_bytes()
    assert "is truncated" in refusal(
        saved(tmp_path, data[:-1], "b.npy"), read_grid
    )


def test_rgb_is_three_channels(tmp_path):
    pixels = np.stack([ROWS, ROWS + 1, ROWS // 2], axis=-1)
    path = png(tmp_path, pixels)
    channels = read_channels(path)
    assert count_channels(path) == 3
    for channel, expected in enumerate((ROWS, ROWS + 1, ROWS // 2)):
        assert np.array_equal(channels[channel].array[:, :, 0].T, expected)
    assert "3 channels (RGB)" in refusal(path)
    assert "RGB colors" in refusal(path, read_label_map)


def test_interlaced_picture_is_read(tmp_path):
    # Made by hand, as Pillow writes none: passes 1, 2, 4, 6 and 7 of a
    # picture of 5 x 2 pixels, whose rows are 0 1 2 3 4 and 5 6 7 8 9.
    passes = [[0], [4], [2], [1, 3], [5, 6, 7, 8, 9]]
    data = raw_png(5, 2, 8, 0, [bytes(row) for row in passes], interlaced=1)
    volume = read_volume(saved(tmp_path, data, "a.png"))
    expected = np.arange(10).reshape(2, 5)
    assert np.array_equal(volume.array[:, :, 0].T, expected)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_dropped_with_a_warning(tmp_path, channels):
    pixels = np.stack([ROWS] * channels, axis=-1)
    path, lines = png(tmp_path, pixels), []
    found = read_channels(path, warn=lines.append)
    assert len(found) == count_channels(path) == channels - 1
    assert lines == [f"{path}: its alpha channel is dropped."]


def test_palette_label_map_is_read_as_indices(tmp_path):
    picture = Image.fromarray(np.minimum(ROWS, 9), "P")
    picture.putpalette([255, 0, 0, 0, 255, 0] + list(range(24)))
    picture.save(tmp_path / "a.png")
    labels = read_label_map(tmp_path / "a.png")
    assert np.array_equal(labels.array[:, :, 0].T, np.minimum(ROWS, 9))
    assert "is a palette picture" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("bits, packed", [(1, 0b10), (2, 0b1001), (4, 0x9A)])
@pytest.mark.parametrize("color", [0, 3])
def test_labels_of_few_bits_are_not_scaled(tmp_path, bits, packed, color):
    row = bytes([packed << (8 - 2 * bits)])
    colors = [chunk(b"PLTE", bytes(48))] if color == 3 else []
    data = raw_png(2, 1, bits, color, [row], *colors)
    labels = read_label_map(saved(tmp_path, data, "a.png"))
    expected = [packed >> bits, packed & (2**bits - 1)]
    assert labels.array[:, 0, 0].tolist() == expected


@pytest.mark.parametrize(
    "color, size, packed", [(2, 6, False), (4, 4, False), (6, 8, False)]
)
def test_colors_of_16_bits_are_refused(tmp_path, color, size, packed):
    data = raw_png(1, 1, 16, color, [bytes(size)])
    path = saved(tmp_path, data, "a.png")
    with pytest.raises(InputError, match="16 bits and colors or alpha"):
        read_channels(path)


def test_any_cut_of_a_png_is_refused(tmp_path):
    data = png(tmp_path, ROWS).read_bytes()
    for size in range(8, len(data)):
        text = refusal(saved(tmp_path, data[:size], "cut.png"))
        assert "is truncated" in text


def test_any_flipped_bit_of_a_png_is_refused(tmp_path):
    data = bytearray(png(tmp_path, ROWS).read_bytes())
    for place in range(len(data)):
        data[place] ^= 4
        refusal(saved(tmp_path, bytes(data), "flipped.png"))
        data[place] ^= 4


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.png", b"these are words\n", "is a text file"),
        ("a.png", b"\xff\xd8\xff\xe0" + bytes(99), "is a JPEG picture"),
        ("a.png", b"II*\0" + bytes(99), "is a TIFF picture"),
        ("a.png", b"", "is empty"),
        ("a.npy", b"\x93NUMPY\x01\0", "is truncated or damaged"),
        ("a.npy", b"\x93NUMPY\x09\0" + bytes(600), "can not be read"),
        (
            "a.png",
            raw_png(2**31 - 1, 2, 8, 0, [b""]),
            "which is no picture that can be read",
        ),
        (
            "a.png",
            raw_png(2, 2, 8, 0, [b"\0\0"]),
            "declares 6 bytes of pixels but it holds 3.",
        ),
        (
            "a.png",
            raw_png(1, 1, 8, 0, [b"\0"], chunk(b"acTL", bytes(8))),
            "is an animation",
        ),
    ],
)
def test_other_contents_are_refused(tmp_path, name, data, words):
    assert words in refusal(saved(tmp_path, data, name))


@pytest.mark.parametrize(
    "array, words",
    [
        (np.array([[1, "a"], [None, 2]], object), "has objects"),
        (np.zeros((2, 3, 4, 5)), "is 4D (2x3x4x5)"),
        (np.zeros(7), "is 1D (7)"),
        (np.array(1.0), "a single number"),
        (np.zeros((0, 3)), "is 2D (0x3)"),
        (np.zeros((2, 3), complex), "voxels of type complex128"),
        (np.zeros((2, 3), [("a", "i4")]), "voxels of type"),
        (np.array([["a", "b"]]), "voxels of type <U1"),
        (np.array([[1.0, np.nan]]), "1 voxels that are NaN"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, words):
    assert words in refusal(npy(tmp_path, array))


def test_trailing_axes_of_size_1_are_dropped(tmp_path):
    array = np.arange(24).reshape(2, 3, 4, 1)
    assert np.array_equal(
        read_volume(npy(tmp_path, array)).array, array[..., 0]
    )


def test_truncated_npy_is_refused(tmp_path):
    data = npy(tmp_path, ROWS).read_bytes()
    for size in range(6, len(data)):
        text = refusal(saved(tmp_path, data[:size], "cut.npy"))
        assert "truncated" in text


def test_name_does_not_decide_what_a_file_is(tmp_path):
    data = png(tmp_path, ROWS).read_bytes()
    path = saved(tmp_path, data, "a.npy")
    assert read_volume(path).shape == (4, 3, 1)


@pytest.mark.parametrize(
    "array, words",
    [
        (np.zeros((2, 3, 4), np.uint8), "can not hold 4 slices"),
        (np.zeros((2, 3, 1), np.float32), "can not hold float32 values"),
        (np.full((2, 3, 1), -1), "from -1 to -1"),
        (np.full((2, 3, 1), 65536), "from 65536 to 65536"),
        (np.zeros((2, 3, 1, 2), np.uint8), "an array of 4 axes"),
    ],
)
def test_what_a_png_can_not_hold_is_refused(tmp_path, array, words):
    path = tmp_path / "a.png"
    volume = Volume(array, np.eye(4))
    text = refusal(path, lambda path: write_volume(path, volume))
    assert words in text
    assert list(tmp_path.iterdir()) == []


def test_integers_are_written_in_the_smallest_type(tmp_path):
    for value, mode in ((255, "L"), (256, "I;16")):
        path = tmp_path / f"{value}.png"
        write_volume(path, Volume(np.full((2, 3, 1), value), np.eye(4)))
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            assert picture.mode == mode
            assert np.asarray(picture).max() == value
