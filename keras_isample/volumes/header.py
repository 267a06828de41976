"""What the header of a NIfTI or MGH file says, checked before it is believed.

nibabel mends many faults of a header with no more than a log line: a voxel
size of 0 becomes 1, sizes no file can hold are accepted. Here the raw fields
are looked at first; then nibabel works out the affine and the scaling.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.freesurfer.mghformat import MGHHeader

from keras_isample.errors import InputError
from keras_isample.volumes.grid import TOLERANCE
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.grid import largest_shift

MAX_HEADER_BYTES = 540

_NIFTI_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_MGH_DTYPES = {0: "u1", 1: "i4", 3: "f4", 4: "i2", 10: "u2"}
_MGH_HEADER_BYTES = 284
_MGH_FIELD_BYTES = MGHHeader._hdrdtype.itemsize
_MM_PER_UNIT = {1: ("meter", 1000.0), 3: ("micron", 0.001)}
_FORM_CODES = range(1, 6)
# Wider than any scanner or microscope, so that slips of units stand out.
_SPACING_LIMITS = (1e-4, 1e3)
_FARTHEST_MM = 1e6
_LARGEST_OFFSET = 1 << 30
# Volume of the cell spanned by unit axes; 1 if they are orthogonal.
_FLATTEST = 1e-3

# More volumes than this in one file are no channels.
_MOST_CHANNELS = 8

_REPAIR = "Repair the header or export the scan again"
_EXPORT = "Export the scan again as .nii.gz"
_FOREIGN = (
    (b"NRRD", "is an NRRD file", "Convert it to .nii.gz"),
    (b"\x89PNG", "is a PNG picture, packed or damaged", "Save it as .png"),
    (b"\xff\xd8\xff", "is a JPEG picture", "Convert it to PNG"),
    (b"II*\x00", "is a TIFF picture", "Convert it to PNG"),
    (b"MM\x00*", "is a TIFF picture", "Convert it to PNG"),
    (b"PK\x03\x04", "is a ZIP archive", "Unpack it"),
    (b"BZh", "is compressed by bzip2", "Compress it by gzip instead"),
    (b"\xfd7zXZ", "is compressed by xz", "Compress it by gzip instead"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd", "Compress it by gzip"),
    (b"\x1f\x8b", "is compressed twice", "Run `gunzip` on it once"),
)


@dataclass(frozen=True)
class Header:
    """Where voxels lie in a file and in the world, and what they mean.

    Args:
        shape: Voxels along the three spatial axes.
        affine: 4x4 matrix from voxel indices to world coordinates in mm.
        dtype: Type of the stored voxels, with their byte order.
        offset: Position of the first voxel in the decompressed file.
        slope: A voxel means `slope * stored + intercept`.
        intercept: See `slope`.
        footer: Whether the format puts more behind the voxels.
        order: `"F"` if the first axis is the fastest in the file, `"C"` if
            the last is.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    dtype: np.dtype
    offset: int
    slope: float = 1.0
    intercept: float = 0.0
    footer: bool = False
    order: str = "F"

    @property
    def end(self) -> int:
        """Position behind the last voxel in the decompressed file."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    @property
    def scaled(self) -> bool:
        """Whether a voxel means something else than is stored."""
        return (self.slope, self.intercept) != (1.0, 0.0)


# What overflows is refused afterwards, by name.
@np.errstate(all="ignore")
def parse_header(
    start: bytes,
    source: str,
    warn: Callable[[str], None],
    labels: bool = False,
) -> Header:
    """Reads and checks the header of a NIfTI-1, NIfTI-2 or MGH file.

    Args:
        start: The first `MAX_HEADER_BYTES` bytes of the file, decompressed;
            fewer if it has no more.
        source: Name of the file for messages.
        warn: Called with one line for each oddity that can be lived with.
        labels: Whether the file should be a label map; for messages.

    Raises:
        InputError: If the file is something else, or if its header can not
            be true or describes no single 3D scan.
    """
    said = source, warn, labels
    for order in "<>":
        if start[:4] == np.array(348, order + "i4").tobytes():
            return _parse_nifti(nib.Nifti1Header, start, order, *said)
        if start[:4] == np.array(540, order + "i4").tobytes():
            return _parse_nifti(nib.Nifti2Header, start, order, *said)
    if start[:4] == np.array(1, ">i4").tobytes():
        return _parse_mgh(start, *said)
    raise _foreign(start, source)


def _foreign(start, source):
    """The error for a file that is no NIfTI or MGH file."""
    if start.startswith(b"version https://git-lfs"):
        return InputError(
            source,
            "is a Git LFS pointer, not the scan itself",
            "Run `git lfs pull` in its repository",
        )
    if b"/annex/objects/" in start:
        return InputError(
            source,
            "is a git-annex pointer, not the scan itself",
            "Run `git annex get` in its repository",
        )
    if start[128:132] == b"DICM":
        return InputError(
            source,
            "is a DICOM file, not NIfTI or MGH",
            "Convert its series to .nii.gz, for example with dcm2niix",
        )
    for magic, what, cure in _FOREIGN:
        if start.startswith(magic):
            return InputError(source, f"{what}, not NIfTI or MGH", cure)
    if _is_text(start):
        return InputError(source, "is a text file, not a scan", _EXPORT)
    if start[344:347] == b"n+1":
        return InputError(
            source, "is damaged: it does not start as NIfTI files do", _EXPORT
        )
    return InputError(source, "is not a NIfTI or MGH file", _EXPORT)


def _is_text(start):
    try:
        # The last character may have been cut in two.
        text = start.decode("utf-8", "strict" if len(start) < 540 else "ignore")
    except UnicodeDecodeError:
        return False
    printable = sum(c.isprintable() or c in "\t\r\n" for c in text)
    return bool(text) and printable == len(text) > 0.9 * len(start)


def _parse_nifti(header_class, start, order, source, warn, labels):
    size = header_class.template_dtype.itemsize
    if len(start) < size:
        raise _too_short(start, source)
    header = header_class(start[:size], endianness=order, check=False)
    _check_magic(header, source)
    sizes = _nifti_sizes(header, source)
    shape = _three_axes(sizes, source, warn, labels)
    dtype = _nifti_dtype(header, order, source, warn)
    _check_pixdim(header, shape, source, warn)
    affine = _nifti_affine(header, shape, source, warn)
    slope, intercept = _nifti_scaling(header, source)
    offset = _nifti_offset(header, source, warn)
    return Header(shape, affine, dtype, offset, slope, intercept)


def _too_short(start, source):
    return InputError(
        source,
        f"is truncated: {len(start)} bytes are too few for a header",
        "Copy or download it again",
    )


def _check_magic(header, source):
    magic = bytes(header["magic"].item())[:3]
    if magic in (b"ni1", b"ni2"):
        raise InputError(
            source,
            "is the header of a .hdr/.img pair, without voxels",
            "Convert the pair to one .nii.gz file",
        )
    if magic not in (b"n+1", b"n+2"):
        raise InputError(
            source,
            "is damaged or an Analyze 7.5 file: the NIfTI magic is missing",
            _EXPORT,
        )


def _nifti_sizes(header, source):
    ndim = int(header["dim"][0])
    if not 1 <= ndim <= 7:
        raise InputError(
            source, f"declares {ndim} axes, which can not be", _REPAIR
        )
    return tuple(int(size) for size in header["dim"][1 : ndim + 1])


def _three_axes(sizes, source, warn, labels):
    """The spatial shape of an array with any number of axes."""
    if min(sizes) < 1:
        raise InputError(
            source, f"declares a shape of {format_shape(sizes)}", _REPAIR
        )
    kept = without_ones(sizes, source, warn)
    if len(kept) > 3:
        raise too_many_axes(kept, source, ".nii.gz", labels)
    if len(kept) == 1:
        raise InputError(
            source, f"has one axis only, of {kept[0]} values", _EXPORT
        )
    return kept + (1,) * (3 - len(kept))


def without_ones(sizes: tuple, source: object, warn: Callable) -> tuple:
    """Sizes of axes without those of 1 that come before or after three.

    Trailing ones are dropped in silence. Leading ones, as of arrays with a
    batch or a channel first, are dropped with a warning: the affine is taken
    for that of the three that follow.
    """
    kept = sizes
    while len(kept) > 3 and kept[-1] == 1:
        kept = kept[:-1]
    leading = 0
    while len(kept) > 3 and kept[0] == 1:
        kept, leading = kept[1:], leading + 1
    if leading and len(kept) == 3:
        warn(
            f"{source}: of its shape of {format_shape(sizes)} the leading 1 "
            "is dropped; its affine is taken for that of the other axes."
        )
    return kept


def too_many_axes(
    shape: tuple, source: object, ending: str, labels: bool
) -> InputError:
    """The error for an array of four or more axes."""
    what = f"is {len(shape)}D ({format_shape(shape)})"
    first = shape[0] < min(_MOST_CHANNELS + 1, *shape[1:])
    number = shape[0] if first else math.prod(shape[3:])
    if labels:
        return InputError(
            source,
            f"{what}, as one-hot labels are, where one label map is expected",
            "Save one whole number a voxel, for one-hot labels the index of "
            "the largest channel (argmax)",
        )
    if number > _MOST_CHANNELS:
        return InputError(
            source,
            f"{what}, as time series are: {number} volumes",
            "Save the volume that is to be segmented, or the mean over time, "
            "as a 3D scan",
        )
    return InputError(
        source,
        what,
        f"Split it {'along its first axis ' if first else ''}into one file a "
        f"channel (CASE_0000{ending}, CASE_0001{ending})",
    )


def _nifti_dtype(header, order, source, warn):
    code = int(header["datatype"])
    if code not in _NIFTI_DTYPES:
        names = nib.nifti1.data_type_codes
        name = names.label[code] if code in names else f"unknown (code {code})"
        raise InputError(
            source,
            f"has voxels of type {name}",
            "Convert it to one integer or float32 number a voxel",
        )
    dtype = np.dtype(order + _NIFTI_DTYPES[code])
    bits = int(header["bitpix"])
    if bits != 8 * dtype.itemsize:
        warn(
            f"{source}: its header says {bits} bits a voxel and {dtype.name}; "
            f"{dtype.name} is used."
        )
    return dtype


def _check_pixdim(header, shape, source, warn):
    """Refuses voxel sizes that cannot be, and mends those that nibabel does."""
    pixdim = header["pixdim"]
    # As in the reference implementation, where 0 counts as 1.
    pixdim[0] = -1 if pixdim[0] < 0 else 1
    for axis in (1, 2, 3):
        size = float(pixdim[axis])
        if not math.isfinite(size):
            raise InputError(
                source, f"has a voxel size of {size} on axis {axis}", _REPAIR
            )
        if size == 0 and shape[axis - 1] == 1:
            pixdim[axis] = _thickness(header, axis, source, warn)
        elif size == 0:
            raise InputError(
                source, f"has a voxel size of 0 on axis {axis}", _REPAIR
            )
        elif size < 0:
            pixdim[axis] = -size
            warn(
                f"{source}: its voxel size on axis {axis} is {size:g}; "
                f"{-size:g} is used."
            )


def _thickness(header, axis, source, warn):
    """The thickness of a single slice whose voxel size is 0."""
    if int(header["sform_code"]) in _FORM_CODES:
        return np.linalg.norm(header.get_sform()[:3, axis - 1])
    warn(f"{source}: its single slice has no thickness; 1 unit is assumed.")
    return 1


def _nifti_affine(header, shape, source, warn):
    for form in ("qform_code", "sform_code"):
        if int(header[form]) not in _FORM_CODES:
            header[form] = 0
    try:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
    except (nib.spatialimages.HeaderDataError, ValueError) as error:
        raise InputError(
            source, f"has a qform that is no rotation: {error}", _REPAIR
        ) from error
    unit = int(header["xyzt_units"]) & 7
    factor = 1.0
    if unit in _MM_PER_UNIT:
        name, factor = _MM_PER_UNIT[unit]
        warn(
            f"{source}: its header measures in {name}; 1 {name} is taken as "
            f"{factor:g} mm."
        )
    affine[:3] *= factor
    _check_affine(affine, source)
    if not header["qform_code"] and not header["sform_code"]:
        warn(
            f"{source}: it has neither qform nor sform; its orientation is "
            f"assumed to be {''.join(nib.aff2axcodes(affine))}, so left and "
            "right may be exchanged."
        )
    _compare_forms(header, affine, factor, shape, source, warn)
    return affine


def _compare_forms(header, affine, factor, shape, source, warn):
    """Says so where qform and sform contradict each other."""
    if not header["qform_code"] or not header["sform_code"]:
        return
    try:
        qform = np.array(header.get_qform(), dtype=np.float64)
    except (nib.spatialimages.HeaderDataError, ValueError):
        return
    qform[:3] *= factor
    shift = largest_shift(affine, qform, shape)
    if not shift <= TOLERANCE * nib.affines.voxel_sizes(affine).min():
        warn(
            f"{source}: its qform and sform differ by up to {shift:.3g} mm; "
            "the sform is used."
        )


def _check_affine(affine, source):
    """Refuses affines that put a patient nowhere."""
    if not np.isfinite(affine).all():
        raise InputError(
            source, "has NaN or infinite values in its affine", _REPAIR
        )
    spacing = nib.affines.voxel_sizes(affine)
    least, most = _SPACING_LIMITS
    if spacing.min() == 0:
        raise InputError(
            source, "has a singular affine, with a voxel size of 0", _REPAIR
        )
    if not (least <= spacing.min() and spacing.max() <= most):
        sizes = " x ".join(f"{size:.3g}" for size in spacing)
        raise InputError(
            source,
            f"has an absurd voxel size of {sizes} mm",
            "Check the unit and the affine in its header",
        )
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < _FLATTEST:
        raise InputError(
            source, "has a singular affine: two axes are parallel", _REPAIR
        )
    farthest = np.abs(affine[:3, 3]).max()
    if farthest > _FARTHEST_MM:
        raise InputError(
            source, f"has an absurd position, {farthest:.3g} mm away", _REPAIR
        )


def _nifti_scaling(header, source):
    slope = float(header["scl_slope"])
    intercept = float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0
    if not math.isfinite(slope) or not math.isfinite(intercept):
        raise InputError(
            source,
            f"scales its voxels by {slope:g} and adds {intercept:g}",
            _REPAIR,
        )
    return slope, intercept


def _nifti_offset(header, source, warn):
    least = header.single_vox_offset
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _LARGEST_OFFSET:
        raise InputError(
            source, f"declares its voxels to begin at byte {offset:g}", _REPAIR
        )
    if offset < least:
        warn(
            f"{source}: its voxels can not begin at byte {offset:g}; "
            f"byte {least} is assumed."
        )
        return least
    return int(offset)


def _parse_mgh(start, source, warn, labels):
    if len(start) < _MGH_HEADER_BYTES:
        raise _too_short(start, source)
    raw = np.frombuffer(start, MGHHeader._hdrdtype, count=1)[0]
    sizes = tuple(int(size) for size in raw["dims"])
    shape = _three_axes(sizes, source, warn, labels)
    code = int(raw["type"])
    if code not in _MGH_DTYPES:
        raise InputError(
            source,
            f"has voxels of the unknown MGH type {code}",
            "Convert it with `mri_convert` to uchar, short, int or float",
        )
    header = MGHHeader(start[:_MGH_FIELD_BYTES], check=False)
    affine = np.array(header.get_affine(), dtype=np.float64)
    _check_affine(affine, source)
    if not raw["goodRASFlag"]:
        warn(
            f"{source}: it has no position; its orientation is assumed to be "
            f"{''.join(nib.aff2axcodes(affine))} with voxels of 1 mm."
        )
    dtype = np.dtype(">" + _MGH_DTYPES[code])
    return Header(shape, affine, dtype, _MGH_HEADER_BYTES, footer=True)
