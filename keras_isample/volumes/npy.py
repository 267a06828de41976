"""NPY files as numpy writes them, plain arrays of numbers only.

A 2D array is a picture, `(rows, columns)`: it becomes a volume of shape
`(columns, rows, 1)`, as the PNG file of the same pixels does. A 3D array is a
volume `(X, Y, Z)` as it is. Trailing axes of size 1 are dropped first, then
leading ones that come before three.
"""

import io
from collections.abc import Callable
from os import PathLike

import numpy as np

from keras_isample.errors import InputError
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.header import MAX_HEADER_BYTES
from keras_isample.volumes.header import Header
from keras_isample.volumes.header import too_many_axes
from keras_isample.volumes.header import without_ones

MAGIC = b"\x93NUMPY"

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PLAIN = "Save one number a voxel: integers, float32 or float64"


def parse_npy_header(
    start: bytes,
    source: str | PathLike,
    warn: Callable[[str], None],
    labels: bool = False,
) -> Header:
    """Reads and checks the header of an NPY file; nothing is unpickled.

    Args:
        start: The first `MAX_HEADER_BYTES` bytes of the file; fewer if it has
            no more.
        source: The file, for messages.
        warn: Called with a line if a leading axis is dropped.
        labels: Whether the file should be a label map; for messages.

    Returns:
        Where the voxels are; the affine is the identity.

    Raises:
        InputError: If the header is damaged, or tells of no 2D or 3D array of
            numbers.
    """
    file = io.BytesIO(start)
    try:
        read = _READERS.get(np.lib.format.read_magic(file))
        if read is None:
            raise ValueError("its format version is that of records")
        shape, fortran, dtype = read(file)
    except ValueError as error:
        if len(start) < MAX_HEADER_BYTES:
            problem = f"is truncated or damaged: {error}"
        else:
            problem = f"has an NPY header that can not be read: {error}"
        raise InputError(source, problem, _PLAIN) from error
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        kind = "objects" if dtype.hasobject else f"voxels of type {dtype}"
        raise InputError(source, f"has {kind}", _PLAIN)
    shape, order = _axes(shape, fortran, source, warn, labels)
    return Header(shape, np.eye(4), dtype, file.tell(), order=order)


def npy_array(array: np.ndarray) -> np.ndarray:
    """The array that an NPY file holds for voxels `(X, Y, Z)`."""
    return array[:, :, 0].T if array.shape[2] == 1 else array


def _axes(shape, fortran, source, warn, labels):
    """Spatial shape, and the order in which its voxels lie in the file."""
    kept = shape
    while len(kept) > 2 and kept[-1] == 1:
        kept = kept[:-1]
    kept = without_ones(kept, source, warn)
    if len(kept) > 3 and min(kept) > 0:
        raise too_many_axes(kept, source, ".npy", labels)
    if len(kept) not in (2, 3) or min(kept) < 1:
        raise InputError(
            source,
            f"is {len(kept)}D ({format_shape(shape)})"
            if shape
            else "holds a single number",
            "Save a 2D or 3D array",
        )
    if len(kept) == 2:
        # The transpose of an array has the same bytes in the other order.
        return (kept[1], kept[0], 1), "C" if fortran else "F"
    return kept, "F" if fortran else "C"
