"""Volumes to NIfTI, PNG and NPY files, whole or not at all."""

import contextlib
import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.fileholders import FileHolder

from keras_isample.errors import InputError
from keras_isample.volumes.files import written_whole
from keras_isample.volumes.npy import npy_array
from keras_isample.volumes.png import encode_png
from keras_isample.volumes.volume import Volume

_SUFFIXES = (".nii.gz", ".nii", ".png", ".npy")
_NIFTI1_MAX_SIZE = 32767
# Label maps shrink to about the same at any level; scans take long at 6.
_COMPRESSION = 3


def write_volume(
    path: str | os.PathLike, volume: Volume, *, overwrite: bool = False
):
    """Writes a volume as .nii.gz, .nii, .png or .npy.

    A NIfTI file has the volume's affine as qform and sform, both coded 1, in
    mm. Where the affine is sheared, which a qform can not express, the sform
    holds it and the qform comes as close as it can. Types are kept, except
    that booleans become uint8, other floats float32 and 64-bit integers the
    smallest type that holds them. The same volume gives the same bytes. The
    file appears only when it is complete.

    A PNG is gray with 8 or 16 bits and holds one slice (z has one voxel) of
    integers, `array[x, y, 0]` in column x of row y; an NPY file of such a
    slice holds the 2D array `(rows, columns)`, of other volumes the array as
    it is. Neither has a place for the affine.

    Args:
        path: The file, by whose ending the format is chosen; its folder
            exists.
        volume: What to write.
        overwrite: Whether to replace a file that is there.

    Raises:
        InputError: If the name ends otherwise, the file exists and
            `overwrite` is false, the values or the shape do not fit the
            format, or the system fails to write.
        ValueError: If `volume` is no `Volume`.
    """
    path = Path(path)
    if not isinstance(volume, Volume):
        raise ValueError(
            "Argument `volume` must be a `Volume`, such as `Volume(array, "
            f"affine)`. Received: {type(volume).__name__}."
        )
    suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(
            path,
            "is no name for a file that can be written",
            "End it in .nii.gz, .nii, .png or .npy",
        )
    if path.is_dir():
        raise InputError(path, "is a folder", "Name a file inside it")
    if path.exists() and not overwrite:
        raise InputError(
            path, "exists already", "Choose another name, or allow overwriting"
        )
    save = _saver(path, suffix, volume)
    try:
        with written_whole(path) as beside, open(beside, "xb") as file:
            save(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            path,
            f"can not be written: {reason}",
            "Check that its folder exists and may be written to",
        ) from error


def _saver(path, suffix, volume):
    """A function that writes the volume into an open file, checked before."""
    if suffix == ".png":
        data = encode_png(_pixels(path, volume.array))
        return lambda file: file.write(data)
    if suffix == ".npy":
        array = _three_axes(path, volume.array)
        array = npy_array(_storable(path, array))
        return lambda file: np.save(file, array, allow_pickle=False)
    image = _image(path, volume)

    def save(file):
        with _compressed(file, suffix) as stream:
            image.to_file_map({"image": FileHolder(fileobj=stream)})

    return save


def _three_axes(path, array):
    if array.ndim != 3:
        raise InputError(
            path,
            f"can not hold an array of {array.ndim} axes",
            "End it in .nii.gz",
        )
    return array


def _pixels(path, array):
    """The array as pixels of 8 or 16 bits."""
    if _three_axes(path, array).shape[2] != 1:
        raise InputError(
            path,
            f"can not hold {array.shape[2]} slices",
            "End it in .nii.gz, or write slice by slice",
        )
    low, high = array.min(), array.max()
    if array.dtype.kind not in "biu" or low < 0 or high > 65535:
        raise InputError(
            path,
            f"can not hold {array.dtype} values from {low} to {high}",
            "Convert them to integers from 0 to 65535, or end it in .nii.gz",
        )
    if array.dtype in (np.uint8, np.uint16):
        return array
    return array.astype(np.uint8 if high < 256 else np.uint16)


def _image(path, volume):
    array = _storable(path, volume.array)
    if not np.isfinite(volume.affine).all():
        raise InputError(
            path, "would have NaN in its affine", "Repair the affine"
        )
    small = max(array.shape) <= _NIFTI1_MAX_SIZE
    image_class = nib.Nifti1Image if small else nib.Nifti2Image
    image = image_class(array, volume.affine)
    image.set_sform(volume.affine, code=1)
    image.set_qform(volume.affine, code=1, strip_shears=True)
    image.header.set_xyzt_units("mm")
    return image


def _storable(path, array):
    """The array in a type that NIfTI programs read."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return array.astype(np.uint8)
    if kind == "f":
        return array.astype(np.float32, copy=False)
    if kind in "iu" and size < 8:
        return array
    if kind in "iu":
        low = int(array.min(initial=0))
        high = int(array.max(initial=0))
        for name in ("uint8", "int16", "uint16", "int32", "uint32"):
            limits = np.iinfo(name)
            if limits.min <= low and high <= limits.max:
                return array.astype(name)
    raise InputError(
        path,
        f"can not hold voxels of type {array.dtype}",
        "Convert them to an integer of 32 bits or to float32",
    )


def _compressed(file, suffix):
    if suffix == ".nii":
        return contextlib.nullcontext(file)
    # Without name and time, so that equal volumes give equal files.
    return gzip.GzipFile(
        filename="",
        mode="wb",
        compresslevel=_COMPRESSION,
        fileobj=file,
        mtime=0,
    )
