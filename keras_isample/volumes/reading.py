"""Scans and label maps from their files, or a reason why not.

NIfTI and MGH files, and PNG and NPY files for 2D pictures. A file that is
damaged, ambiguous or no single scan is refused with one line; nothing is
mended without a word.

A picture has neither spacing nor place: its affine is the identity. Its
columns are the axis x, from left to right, its rows the axis y, from top to
bottom, and z has one voxel: `array[x, y, 0]` is the pixel in column x of row
y. Nothing is flipped, on reading or on writing, so that what is predicted for
a picture lies on its pixels.
"""

import contextlib
import logging
from collections.abc import Callable
from collections.abc import Iterator
from os import PathLike

import numpy as np

from keras_isample.errors import InputError
from keras_isample.volumes import npy
from keras_isample.volumes import png
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.header import MAX_HEADER_BYTES
from keras_isample.volumes.header import Header
from keras_isample.volumes.header import parse_header
from keras_isample.volumes.stream import COPY_AGAIN
from keras_isample.volumes.stream import Stream
from keras_isample.volumes.stream import open_stream
from keras_isample.volumes.volume import Volume

LABEL_TOLERANCE = 1e-5
"""How far a stored label may lie from an integer."""
_LABEL_ROUNDING = 2.5e-7
"""The same as a part of the label, for what float32 does not resolve."""
_LARGEST_STEP = 0.5
"""A header that scales its labels by more cannot have meant whole ones."""
MAX_LABEL = 65535

_LOGGER = logging.getLogger(__name__)
# Generous for whatever programs append behind the voxels, but no bomb.
_SLACK_BYTES = 64 << 20
_DRAIN_BYTES = 1 << 30

Warn = Callable[[str], None]


def read_volume(path: str | PathLike, *, warn: Warn | None = None) -> Volume:
    """Reads a scan of one channel from a NIfTI, MGH, PNG or NPY file.

    Integer voxels keep their type where the header does not scale them;
    everything else becomes float32. Axes are those of the file; trailing axes
    of size 1 are dropped, and a single slice gets a third axis. Spatial units
    become mm.

    A gray PNG, or a 2D NPY array of `(rows, columns)`, has shape `(columns,
    rows, 1)`, spacing 1 and the identity as affine; a 3D NPY array keeps its
    axes.

    Args:
        path: The file. Its content decides what it is, not its name.
        warn: Called with one line for each oddity that can be lived with, by
            default a warning of this module's logger.

    Returns:
        The scan, with a finite, writable array of shape `(X, Y, Z)` in native
        byte order.

    Raises:
        InputError: If the file can not be read, is damaged, is no 3D scan of
            one number a voxel, has an impossible header, or has voxels that
            are NaN or infinite.
    """
    volumes = read_channels(path, warn=warn)
    if len(volumes) > 1:
        raise InputError(
            path,
            f"has {len(volumes)} channels (RGB) where one is expected",
            "Convert it to gray",
        )
    return volumes[0]


def read_channels(
    path: str | PathLike, *, warn: Warn | None = None
) -> list[Volume]:
    """Reads all channels of a file: three of an RGB picture, else one.

    An alpha channel is dropped with a warning.

    Args:
        path: The file.
        warn: As in `read_volume`.

    Returns:
        Scans as `read_volume` gives them, all on one grid.

    Raises:
        InputError: As `read_volume`, and if a PNG has a palette.
    """
    return [_finite(volume, path) for volume in _read(path, warn)[0]]


def _finite(volume, path) -> Volume:
    if volume.array.dtype.kind != "f":
        return volume
    bad = sum(
        part.size - np.count_nonzero(np.isfinite(part))
        for part in _slices(volume.array)
    )
    if bad:
        raise InputError(
            path,
            f"has {bad} voxels that are NaN or infinite",
            "Replace them by the value of air or background",
        )
    return Volume(_as_float32(volume.array, path), volume.affine)


def read_label_map(path: str | PathLike, *, warn: Warn | None = None) -> Volume:
    """Reads a label map from a NIfTI, MGH, PNG or NPY file.

    Labels may be stored as floats as long as they are integers in value, and
    scaled by the header as long as no stored number comes closer to one. The
    labels of a palette PNG are its indices, whatever the colors.

    Args:
        path: The file.
        warn: As in `read_volume`.

    Returns:
        The label map: uint8, or uint16 if it has labels above 255.

    Raises:
        InputError: As `read_volume`, and if a value is fractional, negative
            or larger than 65535, or a PNG has RGB colors.
    """
    (volume,), step = _read(path, warn, labels=True)
    array = volume.array
    for part in _slices(array):
        _check_labels(part, path, step)
    dtype = np.uint8 if array.max() < 255.5 else np.uint16
    if array.dtype == dtype:
        return volume
    labels = np.empty(array.shape, dtype, order="F")
    for part, target in zip(_slices(array), _slices(labels), strict=True):
        target[...] = np.rint(part) if array.dtype.kind == "f" else part
    return Volume(labels, volume.affine)


def read_grid(
    path: str | PathLike, *, warn: Warn | None = None, labels: bool = False
) -> Grid:
    """Reads where the voxels of a file lie, from its header only.

    Args:
        path: The file.
        warn: As in `read_volume`.
        labels: Whether the file should be a label map; for messages.

    Returns:
        Shape and affine as `read_volume` would give them.

    Raises:
        InputError: If the file can not be read or has an impossible header.
    """
    return _read_facts(path, warn, labels)[0]


def count_channels(path: str | PathLike) -> int:
    """Channels of a file, from its header only: 3 for RGB pictures, else 1.

    Raises:
        InputError: As `read_grid`.
    """
    return _read_facts(path, lambda line: None)[1]


def _read_facts(path, warn, labels=False) -> tuple[Grid, int]:
    """Grid and number of channels, from the header of a file."""
    warn = warn or _LOGGER.warning
    with _failures_named(path), open_stream(path, warn) as stream:
        start = _start(stream)
        if _is_png(start, stream):
            picture = png.parse_png_header(bytes(start), path)
            return Grid(picture.shape, np.eye(4)), picture.channels
        header = _header(start, stream, path, warn, labels)
    return Grid(header.shape, header.affine), 1


def _read(path, warn, labels=False) -> tuple[list[Volume], float]:
    """Reads a file with its voxels scaled, and nothing said of their values.

    Returns:
        Its channels, and how far two neighboring stored numbers are apart in
        value: 0 if the header does not scale them.
    """
    warn = warn or _LOGGER.warning
    with _failures_named(path):
        with open_stream(path, warn) as stream:
            start = _start(stream)
            if _is_png(start, stream):
                data = bytes(start) + b"".join(stream.pieces)
                arrays = png.decode_png(data, path, warn, labels=labels)
                return [Volume(array, np.eye(4)) for array in arrays], 0.0
            header, buffer = _read_buffer(start, stream, path, warn, labels)
        step = abs(header.slope) if header.scaled else 0.0
        return [Volume(_array(header, buffer, path), header.affine)], step


def _is_png(start, stream):
    # What is packed may be a bomb; no program packs PNG files.
    return start.startswith(png.MAGIC) and not stream.compressed


@contextlib.contextmanager
def _failures_named(path):
    """Turns what should not happen into an error that names the file."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            path, "does not fit into memory", "Crop it or free some memory"
        ) from error
    except (ValueError, ArithmeticError, LookupError, EOFError) as error:
        raise InputError(
            path, f"can not be understood: {error}", "Export the scan again"
        ) from error


def _start(stream: Stream) -> bytearray:
    """The pieces of a stream that hold its header, joined."""
    start = bytearray()
    while len(start) < MAX_HEADER_BYTES:
        piece = next(stream.pieces, b"")
        if not piece:
            break
        start += piece
    return start


def _header(start, stream, path, warn, labels) -> Header:
    head = bytes(start[:MAX_HEADER_BYTES])
    if head.startswith(npy.MAGIC):
        header = npy.parse_npy_header(head, path, warn, labels)
    else:
        header = parse_header(head, str(path), warn, labels)
    if header.end > stream.most_bytes:
        raise _truncated(header, stream.most_bytes, path)
    named_gzip = str(path).lower().endswith((".gz", ".mgz"))
    if named_gzip and not stream.compressed:
        warn(
            f"{path}: its name says gzip but it is not compressed; it is read "
            "as it is."
        )
    return header


def _read_buffer(
    buffer, stream, path, warn, labels
) -> tuple[Header, bytearray]:
    """Reads a file to its end, keeping what comes up to the last voxel."""
    try:
        header = _header(buffer, stream, path, warn, labels)
    except InputError:
        # If the checksum fails as well, the header is not to blame.
        _drain(stream)
        raise
    total = len(buffer)
    del buffer[header.end :]
    for piece in stream.pieces:
        if total < header.end:
            buffer += piece[: header.end - total]
        total += len(piece)
        if total > header.end + _SLACK_BYTES:
            raise InputError(
                path,
                f"holds far more than the {header.end} bytes that its header "
                "declares",
                COPY_AGAIN,
            )
    if total < header.end:
        raise _truncated(header, total, path)
    if total > header.end and not header.footer:
        warn(
            f"{path}: {total - header.end} bytes behind the voxels that its "
            "header declares are ignored."
        )
    return header, buffer


def _truncated(header, total, path):
    return InputError(
        path,
        f"is truncated: its header declares {header.end} bytes but it holds "
        f"{'at most ' if total > header.end else ''}{total}",
        COPY_AGAIN,
    )


def _drain(stream):
    """Follows a gzip stream to its checksum; a bomb only some way."""
    if not stream.compressed:
        return
    total = 0
    for piece in stream.pieces:
        total += len(piece)
        if total > _DRAIN_BYTES:
            return


def _array(header, buffer, path) -> np.ndarray:
    """The voxels as a native array over the buffer, or scaled to float32."""
    count = (header.end - header.offset) // header.dtype.itemsize
    flat = np.frombuffer(buffer, header.dtype, count, header.offset)
    if not header.dtype.isnative:
        flat = flat.byteswap(inplace=True).view(header.dtype.newbyteorder())
    flat = np.require(flat, requirements="A")
    stored = flat.reshape(header.shape, order=header.order)
    if not header.scaled:
        return stored
    scaled = np.empty(header.shape, np.float32, order="F")
    slope, intercept = np.float64(header.slope), np.float64(header.intercept)
    with np.errstate(all="ignore"):
        for part, target in zip(_slices(stored), _slices(scaled), strict=True):
            target[...] = part * slope + intercept
    return scaled


def _slices(array) -> Iterator[np.ndarray]:
    """Views of the slices, so that temporary arrays stay small."""
    return (array[:, :, index] for index in range(array.shape[2]))


def _as_float32(array, path):
    if array.dtype == np.float32:
        return array
    result = np.empty(array.shape, np.float32, order="F")
    with np.errstate(over="ignore"):
        for part, target in zip(_slices(array), _slices(result), strict=True):
            target[...] = part
            if not np.isfinite(target).all():
                raise InputError(
                    path,
                    f"has values up to {np.abs(part).max():.3g}, too large "
                    "for float32",
                    "Check how it was written, or scale it down",
                )
    return result


def _check_labels(part, path, step):
    """Checks one slice of labels, naming the first value that is none."""
    tolerance = LABEL_TOLERANCE
    if step <= _LARGEST_STEP:
        tolerance += step / 2
    if part.dtype.kind == "f":
        finite = np.isfinite(part)
        if not finite.all():
            value = part[~finite][0]
            raise InputError(
                path, f"has the label {value}", "Replace it by 0 (background)"
            )
        distance = np.abs(part - np.rint(part))
        fractional = distance > tolerance + _LABEL_ROUNDING * np.abs(part)
        if fractional.any():
            raise _fractional(part[fractional][0], path, step)
    if part.min() < -tolerance:
        raise InputError(
            path,
            f"has the negative label {part.min():.6g}",
            "Map it to 0 (background) or to a label of its own",
        )
    if part.max() > MAX_LABEL + tolerance:
        raise InputError(
            path,
            f"has the label {part.max():.6g}, above {MAX_LABEL}",
            "Check that it is a label map, and number its labels from 1",
        )


def _fractional(value, path, step):
    if not step:
        return InputError(
            path,
            f"has the fractional label {value:.6g}",
            "Save integer labels; resample label maps by nearest neighbor",
        )
    return InputError(
        path,
        f"has the fractional label {value:.6g}, by steps of {step:.3g} that "
        "its header scales stored numbers by",
        "Save integer labels with scl_slope 1; resample label maps by nearest "
        "neighbor, and give a soft map a threshold",
    )
