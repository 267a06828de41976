"""Light augmentation: one rotation and one spacing jitter per patch.

The papers rotate about each axis and vary the spacing of the patch; patch and
labels are then interpolated once. Angles are uniform within 10 degrees about
the superior-inferior axis and 4 about the other two. The spacing of each axis
varies by itself within 0.1 mm at the papers' 1 x 1 x 1.5 mm, which is 0.1
times the finest spacing.
"""

import numpy as np

MAX_ANGLES_DEGREES = (4.0, 4.0, 10.0)
"""About the left-right, posterior-anterior and inferior-superior axes."""

DRAWS = 6
"""Uniform draws that one augmentation takes."""


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
