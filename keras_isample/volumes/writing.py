"""Volumes to NIfTI files, whole or not at all."""

import contextlib
import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.fileholders import FileHolder

from keras_isample.errors import InputError
from keras_isample.volumes.files import written_whole
from keras_isample.volumes.volume import Volume

_SUFFIXES = (".nii.gz", ".nii")
_NIFTI1_MAX_SIZE = 32767
# Label maps shrink to about the same at any level; scans take long at 6.
_COMPRESSION = 3


def write_volume(
    path: str | os.PathLike, volume: Volume, *, overwrite: bool = False
):
    """Writes a volume as .nii or .nii.gz.

    The file has the volume's affine as qform and sform, both coded 1, in mm.
    Where the affine is sheared, which a qform can not express, the sform holds
    it and the qform comes as close as it can. Types are kept, except that
    booleans become uint8, other floats float32 and 64-bit integers the
    smallest type that holds them. The same volume gives the same bytes. The
    file appears only when it is complete.

    Args:
        path: The file, ending in .nii or .nii.gz; its folder exists.
        volume: What to write.
        overwrite: Whether to replace a file that is there.

    Raises:
        InputError: If the name ends otherwise, the file exists and
            `overwrite` is false, the values fit no NIfTI type, or the system
            fails to write.
    """
    path = Path(path)
    suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(
            path, "is no name for a NIfTI file", "End it in .nii.gz or .nii"
        )
    if path.is_dir():
        raise InputError(path, "is a folder", "Name a file inside it")
    if path.exists() and not overwrite:
        raise InputError(
            path, "exists already", "Choose another name, or allow overwriting"
        )
    image = _image(path, volume)
    try:
        _write_beside(path, suffix, image)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            path,
            f"can not be written: {reason}",
            "Check that its folder exists, may be written to and has room",
        ) from error


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


def _write_beside(path, suffix, image):
    with written_whole(path) as beside:
        with open(beside, "xb") as file, _compressed(file, suffix) as stream:
            image.to_file_map({"image": FileHolder(fileobj=stream)})


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
