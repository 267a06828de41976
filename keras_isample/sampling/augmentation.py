"""Light augmentation: one rotation and one spacing jitter per patch.

The papers rotate about each axis and vary the spacing of the patch; patch and
labels are then interpolated once. Angles are uniform within 10 degrees about
the superior-inferior axis and 4 about the other two. The spacing of each axis
varies by itself within 0.1 mm at the papers' 1 x 1 x 1.5 mm, which is 0.1
times the finest spacing.
"""

from typing import NamedTuple

import numpy as np

MAX_ANGLES_DEGREES = (4.0, 4.0, 10.0)
"""About the left-right, posterior-anterior and inferior-superior axes."""

SLICE_ANGLE_DEGREES = 10.0
"""Largest turn of a slice in the cardiac study."""

DRAWS = 6
"""Uniform draws that one augmentation takes."""


class AugmentedPatches(NamedTuple):
    """What an augmentation knows of the patches that it turns.

    Attributes:
        spacing: Of their scans, in mm, float64 `(n, 3)`.
        flat: Whether an axis has a single voxel, in patch or scan, `(n, 3)`.
        axis: Axis that slices lie across; `None` for volumes.
        spacing_jitter: Largest change of spacing, as a share of the finest.
    """

    spacing: np.ndarray
    flat: np.ndarray
    axis: int | None
    spacing_jitter: float


def isample(draws, patches):
    """`patch_matrices`, by name."""
    return patch_matrices(
        draws, patches.spacing, patches.spacing_jitter, patches.flat
    )


def cardiac(draws, patches):
    """`slice_matrices`, by name."""
    return slice_matrices(draws, patches.spacing, patches.axis)


def patch_matrices(draws, spacing, spacing_jitter, flat=False):
    """Matrices from voxel steps in patches to voxel steps in their scans.

    Args:
        draws: From U(0, 1), `(n, DRAWS)`: three angles, three spacings.
        spacing: Of the scans, in mm, `(n, 3)`.
        spacing_jitter: Largest change of spacing, as a share of the finest
            one.
        flat: Whether an axis has a single voxel, in patch or scan, `(n, 3)`;
            slices are turned in their plane only.

    Returns:
        float64 `(n, 3, 3)`: a step `d` in patch i is `matrices[i] @ d` in its
        scan.
    """
    signed = 2 * np.asarray(draws, np.float64) - 1
    spacing = np.asarray(spacing, np.float64)
    angles = np.radians(MAX_ANGLES_DEGREES) * signed[:, :3]
    flat = np.broadcast_to(flat, angles.shape)
    angles = np.where(flat.any(axis=1, keepdims=True) & ~flat, 0, angles)
    finest = spacing.min(axis=1, keepdims=True)
    jittered = spacing + spacing_jitter * finest * signed[:, 3:]
    return _rotations(angles) * jittered[:, None, :] / spacing[:, :, None]


def slice_matrices(draws, spacing, axis):
    """Matrices of the cardiac study's augmentation of slices.

    One of four, each with the same chance: nothing, a flip along the first or
    along the second axis of the slice, a turn within 10 degrees.

    Args:
        draws: From U(0, 1), `(n, DRAWS)`; the first two are used.
        spacing: Of the scans, in mm, `(n, 3)`.
        axis: Axis that the slices lie across.

    Returns:
        float64 `(n, 3, 3)`, as of `patch_matrices`.
    """
    draws = np.asarray(draws, np.float64)
    spacing = np.asarray(spacing, np.float64)
    kind = np.floor(4 * draws[:, 0]).astype(int)
    signed = 2 * draws[:, 1] - 1
    angles = np.zeros((len(draws), 3))
    turned = kind == 3
    angles[turned, axis] = np.radians(SLICE_ANGLE_DEGREES) * signed[turned]
    ratio = spacing[:, None, :] / spacing[:, :, None]
    matrices = _rotations(angles) * ratio
    in_plane = [k for k in range(3) if k != axis]
    for number, flipped in enumerate(in_plane, start=1):
        matrices[kind == number, flipped, flipped] = -1
    return matrices


def flip_shifts(matrices, size):
    """What a flip of an even number of points moves their center by.

    Point `size // 2` is the center; turned round, the points would else begin
    a voxel later.

    Args:
        matrices: float64 `(n, 3, 3)`.
        size: Points along each axis.

    Returns:
        int64 `(n, 3)`, to be added to the centers.
    """
    flipped = np.diagonal(matrices, axis1=1, axis2=2) < 0
    return -(flipped & (np.array(size) % 2 == 0)).astype(np.int64)


def _rotations(angles):
    result = np.eye(3)
    for axis in range(3):
        i, j = [k for k in range(3) if k != axis]
        turn = np.tile(np.eye(3), (len(angles), 1, 1))
        cosine, sine = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        turn[:, i, i] = turn[:, j, j] = cosine
        turn[:, i, j], turn[:, j, i] = -sine, sine
        result = result @ turn
    return result
