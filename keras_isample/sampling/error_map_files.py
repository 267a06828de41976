"""Files of error maps: new ones for every version, never changed afterwards.

So a state of a run names the files that belong to it, whenever it is killed,
and folders may share them by links.
"""

import os
import re

import numpy as np

from keras_isample.volumes.files import new_mapped_file

MEAN_KIND, BLOCKS_KIND, SEEN_KIND = ".mean", ".blocks", ".seen"
"""Beside the errors there are their running means, what is known of the blocks,
and, where blocks are known in part, the bits of the voxels that are."""

RESTING_KINDS = (MEAN_KIND, BLOCKS_KIND, SEEN_KIND)
"""What is kept of a case that is not drawn from until it is refreshed."""

_FILE_NAME = re.compile(r"(\d{5}-\d{6})(?:\.(?:mean|blocks|seen))?\.npy")

_PART = 1 << 22
"""Voxels that are read at a time."""


def stem_of(index, version):
    """What the names of the files of a version of a case begin with."""
    return f"{index:05d}-{version:06d}"


def beside(path, kind):
    """Another file of the version whose errors are in `path`."""
    return path.with_name(f"{path.stem}{kind}.npy")


def own_stem(name):
    """What a file's name begins with; `None` if it is no file of a map."""
    found = _FILE_NAME.fullmatch(name)
    return found and found[1]


def new_bytes(path, shape):
    """A new file of bytes, mapped.

    Args:
        path: The file. One that is there is removed, not written to: another
            folder may have a link to it.
        shape: Shape of the array.

    Returns:
        uint8 array, all 0.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return new_mapped_file(path, np.uint8, tuple(shape))


def write_array(path, array):
    """Writes an array to a new file, on the disk."""
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())


def finish(array, path):
    """Puts what was written to a `new_bytes` on the disk."""
    array.flush()
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def write_tiles(path, shape, tiles):
    """Writes stored errors of a whole scan to a new file, on the disk.

    Args:
        path: The file.
        shape: Voxels of the scan.
        tiles: Iterable of `(start, levels)`: first voxel and uint8.
    """
    array = new_bytes(path, shape)
    for start, levels in tiles:
        place = (
            slice(a, a + n) for a, n in zip(start, levels.shape, strict=True)
        )
        array[tuple(place)] = levels
    finish(array, path)


def read_tiles(path):
    """What `write_tiles` wrote, in slabs.

    Yields:
        `(start, levels)`: first voxel and uint8 `(x, y, z)`.
    """
    array = mapped(path)
    rows = max(1, _PART // max(1, array[0].size))
    for first in range(0, len(array), rows):
        yield (first, 0, 0), array[first : first + rows]


def mapped(path):
    """The array of a file, mapped, to be read."""
    return np.asarray(np.load(path, mmap_mode="r"))
