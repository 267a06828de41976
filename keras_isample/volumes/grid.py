"""Whether two arrays lie on the same voxels of the same patient."""

import itertools
from dataclasses import dataclass
from os import PathLike
from typing import Protocol

import nibabel as nib
import numpy as np

from keras_isample.errors import InputError
from keras_isample.volumes.volume import Volume

TOLERANCE = 0.1
"""Largest distance of two equal grids, in voxels of the finest spacing."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a file lie, without the voxels.

    Args:
        shape: Voxels along the three spatial axes.
        affine: 4x4 matrix from voxel indices to world coordinates in mm.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighboring voxels along each axis, in mm."""
        return tuple(float(s) for s in nib.affines.voxel_sizes(self.affine))


class OnGrid(Protocol):
    """Anything with a shape and an affine: a `Volume` or a `Grid`."""

    shape: tuple[int, int, int]
    affine: np.ndarray


def check_same_grid(
    volume_a: OnGrid,
    source_a: str | PathLike,
    volume_b: OnGrid,
    source_b: str | PathLike,
):
    """Checks that two volumes can be laid on each other voxel by voxel.

    Affines need not be equal to the last bit, as programs round them: no
    corner of the volume may move by more than a tenth of the finest spacing.

    Args:
        volume_a: The volume that sets the grid, usually the image.
        source_a: Its file.
        volume_b: The volume that should lie on it, usually the label map.
        source_b: Its file.

    Raises:
        InputError: If shapes differ or voxels lie elsewhere. It names both
            files, and the distance in mm.
    """
    if tuple(volume_a.shape) != tuple(volume_b.shape):
        raise InputError(
            source_b,
            f"has {format_shape(volume_b.shape)} voxels but {source_a} has "
            f"{format_shape(volume_a.shape)}",
            "Check that both belong to the same case, or resample one onto "
            "the grid of the other",
        )
    distance = largest_shift(volume_a.affine, volume_b.affine, volume_a.shape)
    finest = min(
        nib.affines.voxel_sizes(volume_a.affine).min(),
        nib.affines.voxel_sizes(volume_b.affine).min(),
    )
    # Written so that a distance of NaN is refused as well.
    if not distance <= TOLERANCE * finest:
        raise InputError(
            source_b,
            f"lies elsewhere than {source_a}: the affines put the same voxel "
            f"up to {distance:.3g} mm apart",
            "Check that both belong to the same case and repair the wrong "
            "header, or resample one onto the grid of the other",
        )


def check_same_place(
    volume_a: OnGrid,
    source_a: str | PathLike,
    volume_b: OnGrid,
    source_b: str | PathLike,
) -> np.ndarray | None:
    """Checks that two volumes have the same voxels, in whatever order.

    Args:
        volume_a: The volume that sets the grid, usually the image.
        source_a: Its file.
        volume_b: The volume whose axes may be flipped or in another order.
        source_b: Its file.

    Returns:
        The orientation to apply to the second volume, as nibabel writes it;
        `None` if it lies on the grid of the first as it is.

    Raises:
        InputError: If the voxels lie elsewhere, as `check_same_grid` says.
    """
    try:
        check_same_grid(volume_a, source_a, volume_b, source_b)
        return None
    except InputError as error:
        affines = np.stack([volume_a.affine, volume_b.affine])
        if not np.isfinite(affines).all() or not np.linalg.det(affines).all():
            raise
        between = np.linalg.inv(affines[0]) @ affines[1]
        orientation = nib.io_orientation(between)
        if np.isnan(orientation).any():
            raise
        turned = _turned(volume_b, orientation)
        try:
            check_same_grid(volume_a, source_a, turned, source_b)
        except InputError:
            raise error from None
        return orientation


def onto_grid(
    volume_a: OnGrid,
    source_a: str | PathLike,
    volume_b: Volume,
    source_b: str | PathLike,
) -> Volume:
    """The second volume with its voxels in the order of the first.

    Programs store the same voxels with axes flipped or in another order, an
    image from left to right and its labels from right to left; the affines
    tell. Nothing is interpolated.

    Arguments are those of `check_same_place`.

    Raises:
        InputError: If the voxels lie elsewhere, as `check_same_grid` says.
    """
    orientation = check_same_place(volume_a, source_a, volume_b, source_b)
    if orientation is None:
        return volume_b
    array = nib.apply_orientation(volume_b.array, orientation)
    return Volume(array, _turned(volume_b, orientation).affine)


def _turned(volume, orientation):
    """The grid of a volume once an orientation is applied to it."""
    shape = [0, 0, 0]
    for size, axis in zip(volume.shape, orientation[:, 0], strict=True):
        shape[int(axis)] = size
    change = nib.orientations.inv_ornt_aff(orientation, volume.shape)
    return Grid(tuple(shape), volume.affine @ change)


def canonical_grid(volume: OnGrid) -> Grid:
    """The grid of a volume with axes in closest-canonical RAS+."""
    return _turned(volume, nib.io_orientation(volume.affine))


def largest_shift(
    affine_a: np.ndarray, affine_b: np.ndarray, shape: tuple[int, int, int]
) -> float:
    """How far apart two affines put the same point of a volume, in mm.

    An affine difference is largest at a corner of the volume.
    """
    sides = [(-0.5, size - 0.5) for size in shape]
    corners = np.array(list(itertools.product(*sides)))
    difference = np.asarray(affine_a, float) - np.asarray(affine_b, float)
    shifts = corners @ difference[:3, :3].T + difference[:3, 3]
    return float(np.linalg.norm(shifts, axis=1).max())


def format_shape(shape) -> str:
    """A shape as it is shown: `35x51x35`."""
    return "x".join(str(int(size)) for size in shape)
