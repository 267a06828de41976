"""PNG pictures as arrays of pixels, checked to the last byte.

Pillow reads on where a checksum is wrong, and takes rows that are missing for
black; here all that is checked before it decodes anything.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import numpy as np
from PIL import Image

from keras_isample.errors import InputError
from keras_isample.volumes.grid import format_shape

MAGIC = b"\x89PNG\r\n\x1a\n"

_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {
    _GRAY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GRAY_ALPHA: (8, 16),
    _RGB_ALPHA: (8, 16),
}
# First column and row, and steps, of each pass.
_ONE_PASS = ((0, 0, 1, 1),)
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
# Where Pillow begins to speak of decompression bombs.
_MOST_PIXELS = 89_478_485
_COPY_AGAIN = "Copy or download it again"


@dataclass(frozen=True)
class PngHeader:
    """What the first chunk of a PNG file says.

    Args:
        width: Pixels in a row.
        height: Rows.
        bits: Bits of one number.
        color: Color type of the PNG specification.
        interlaced: Whether the pixels come in the seven passes of Adam7.
    """

    width: int
    height: int
    bits: int
    color: int
    interlaced: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        return (self.width, self.height, 1)

    @property
    def channels(self) -> int:
        """1, or 3 for red, green and blue; alpha is none."""
        return 3 if self.color in (_RGB, _RGB_ALPHA) else 1

    @property
    def data_bytes(self) -> int:
        """Bytes of the decompressed pixels, with a filter byte in each row."""
        numbers = self.channels + (self.color in (_GRAY_ALPHA, _RGB_ALPHA))
        total = 0
        for x, y, step_x, step_y in _ADAM7 if self.interlaced else _ONE_PASS:
            columns = max(0, -((x - self.width) // step_x))
            rows = max(0, -((y - self.height) // step_y))
            row = 1 + (columns * numbers * self.bits + 7) // 8
            total += rows * row if columns else 0
        return total


def parse_png_header(start: bytes, source: str | PathLike) -> PngHeader:
    """Reads the header of a PNG file.

    Args:
        start: At least the first 33 bytes, if the file has them.
        source: The file, for messages.

    Raises:
        InputError: If the header is damaged, or the picture too large.
    """
    if len(start) < 33:
        raise InputError(
            source,
            f"is truncated: {len(start)} bytes are too few for a PNG header",
            _COPY_AGAIN,
        )
    width, height, bits, color, *_, passes = struct.unpack(
        ">IIBBBBB", start[16:29]
    )
    known = bits in _DEPTHS.get(color, ()) and passes in (0, 1)
    if start[12:16] != b"IHDR" or not known:
        raise InputError(
            source, "is damaged: its PNG header can not be", _COPY_AGAIN
        )
    if not 0 < width * height <= _MOST_PIXELS:
        raise InputError(
            source,
            f"has {format_shape((width, height))} pixels, which is no picture "
            "that can be read",
            "Cut it into parts, or convert it to .nii.gz",
        )
    return PngHeader(width, height, bits, color, passes == 1)


def decode_png(
    data: bytes,
    source: str | PathLike,
    warn: Callable[[str], None],
    *,
    labels: bool = False,
) -> list[np.ndarray]:
    """The channels of a PNG picture.

    Args:
        data: The whole file.
        source: The file, for messages.
        warn: Called with one line if an alpha channel is dropped.
        labels: Whether this is a label map: a palette's indices are labels
            then, and colors are refused; otherwise a palette is refused.

    Returns:
        One array for gray, three for RGB, shape `(width, height, 1)`, uint8,
        or uint16 for 16 bits; gray of 1, 2 or 4 bits is not scaled.

    Raises:
        InputError: If the file is damaged, or can not be such a picture.
    """
    header = parse_png_header(data, source)
    packed = _packed_pixels(data, source)
    _check_kind(header, source, labels)
    _check_amount(packed, header, source)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(source, f"is damaged: {error}", _COPY_AGAIN) from error
    if header.color in (_GRAY_ALPHA, _RGB_ALPHA):
        warn(f"{source}: its alpha channel is dropped.")
    if header.color == _GRAY and header.bits in (2, 4):
        # Pillow spreads these over 0 to 255.
        pixels = pixels // (255 // (2**header.bits - 1))
    dtype = np.uint16 if header.bits == 16 else np.uint8
    pixels = pixels.reshape(header.height, header.width, -1)
    return [
        np.array(pixels[:, :, channel].T, dtype, order="F")[:, :, np.newaxis]
        for channel in range(header.channels)
    ]


def encode_png(array: np.ndarray) -> bytes:
    """A gray PNG file of pixels.

    Args:
        array: Shape `(width, height, 1)`, uint8 or uint16.
    """
    rows = np.ascontiguousarray(array[:, :, 0].T)
    file = io.BytesIO()
    Image.fromarray(rows).save(file, "PNG")
    return file.getvalue()


def _packed_pixels(data, source):
    """Follows the chunks to the last one, each to its checksum."""
    place, packed = len(MAGIC), []
    while True:
        head = data[place : place + 8]
        if len(head) < 8:
            break
        size, kind = struct.unpack(">I4s", head)
        end = place + 12 + size
        if end > len(data):
            break
        (checksum,) = struct.unpack(">I", data[end - 4 : end])
        if zlib.crc32(data[place + 4 : end - 4]) != checksum:
            raise InputError(
                source, "is damaged: a PNG checksum is wrong", _COPY_AGAIN
            )
        if kind == b"acTL":
            raise InputError(
                source,
                "is an animation, not one picture",
                "Save its frames one by one, or as a .nii.gz stack",
            )
        if kind == b"IDAT":
            packed.append(data[place + 8 : end - 4])
        if kind == b"IEND":
            return b"".join(packed)
        place = end
    raise InputError(
        source, "is truncated: its PNG stream has no end", _COPY_AGAIN
    )


def _check_amount(packed, header, source):
    """Checks that there are all the pixels that the header declares."""
    try:
        decoder = zlib.decompressobj()
        pixels = decoder.decompress(packed, header.data_bytes)
    except zlib.error as error:
        raise InputError(source, f"is damaged: {error}", _COPY_AGAIN) from error
    if len(pixels) < header.data_bytes:
        raise InputError(
            source,
            f"is damaged: its header declares {header.data_bytes} bytes of "
            f"pixels but it holds {len(pixels)}",
            _COPY_AGAIN,
        )


def _check_kind(header, source, labels):
    if labels and header.channels > 1:
        raise InputError(
            source,
            "has RGB colors, where a label map has one number a pixel",
            "Save it as a gray or palette PNG whose values are the labels",
        )
    if not labels and header.color == _PALETTE:
        raise InputError(
            source,
            "is a palette picture, whose numbers are colors, not intensities",
            "Convert it to a gray or RGB PNG",
        )
    if header.bits == 16 and header.color != _GRAY:
        raise InputError(
            source,
            "has 16 bits and colors or alpha, which would be cut to 8 bits",
            "Save it as 16-bit gray, one file a channel "
            "(CASE_0000.png, CASE_0001.png), or with 8 bits",
        )
