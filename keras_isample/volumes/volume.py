"""One scan: an array and where its voxels lie in the world."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np


@dataclass(frozen=True, repr=False)
class Volume:
    """A scan or a label map with its place in space.

    Args:
        array: Voxels, the three spatial axes first.
        affine: 4x4 matrix from voxel indices to world coordinates in mm
            (RAS+: right, anterior, superior are positive).
    """

    array: np.ndarray
    affine: np.ndarray

    def __post_init__(self):
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise ValueError(
                "Argument `affine` must be a 4x4 matrix. "
                f"Received: shape {affine.shape}."
            )
        if self.array.ndim < 3:
            raise ValueError(
                "Argument `array` must have at least the three spatial axes. "
                f"Received: shape {self.array.shape}. Add an axis of size 1."
            )
        object.__setattr__(self, "affine", affine)

    def __repr__(self):
        size = " x ".join(map(str, self.array.shape))
        place = "no usable affine"
        if np.isfinite(self.affine).all() and np.linalg.det(self.affine):
            spacing = " x ".join(f"{s:.4g}" for s in self.spacing)
            place = f"{spacing} mm, {self.orientation}"
        return f"<Volume {size} {self.array.dtype}, {place}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three spatial axes."""
        return tuple(int(n) for n in self.array.shape[:3])

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighboring voxels along each axis, in mm."""
        return tuple(float(s) for s in nib.affines.voxel_sizes(self.affine))

    @property
    def orientation(self) -> str:
        """Closest anatomical direction of each axis, such as `"RAS"`."""
        return "".join(str(c) for c in nib.aff2axcodes(self.affine))


def to_canonical(volume: Volume) -> Volume:
    """The same voxels with axes flipped and permuted to closest RAS+."""
    orientation = nib.io_orientation(volume.affine)
    array = nib.apply_orientation(volume.array, orientation)
    change = nib.orientations.inv_ornt_aff(orientation, volume.shape)
    return Volume(array, volume.affine @ change)


def from_canonical(array: np.ndarray, like: Volume) -> np.ndarray:
    """Undoes `to_canonical`: puts an array back on the grid of `like`.

    Args:
        array: Voxels on the grid of `to_canonical(like)`.
        like: The volume as it came.

    Returns:
        The array with the axes of `like`.
    """
    there = nib.io_orientation(like.affine)
    back = nib.orientations.ornt_transform(
        np.array([[0, 1], [1, 1], [2, 1]]), there
    )
    return nib.apply_orientation(array, back)
