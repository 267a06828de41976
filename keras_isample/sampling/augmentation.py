"""Light augmentation: one rotation and one spacing jitter per patch.

The papers rotate about each axis and vary the spacing of the patch; patch and
labels are then interpolated once. Angles are uniform within 10 degrees about
the superior-inferior axis and 4 about the other two. The spacing of each axis
varies by itself within 0.1 mm at the papers' 1 x 1 x 1.5 mm, which is 0.1
times the finest spacing.
"""

import math

import numpy as np

MAX_ANGLES_DEGREES = (4.0, 4.0, 10.0)
"""About the left-right, posterior-anterior and inferior-superior axes."""

DRAWS = 6
"""Uniform draws that one augmentation takes."""


def patch_matrix(draws, spacing, spacing_jitter):
    """Matrix from voxel steps in a patch to voxel steps in the scan.

    Args:
        draws: `DRAWS` numbers from U(0, 1): three angles, three spacings.
        spacing: Spacing of the scan, in mm.
        spacing_jitter: Largest change of spacing, as a share of the finest
            one.

    Returns:
        float64 `(3, 3)`: a step `d` in the patch is `matrix @ d` in the scan.
    """
    signed = 2 * np.asarray(draws, np.float64) - 1
    angles = np.radians(MAX_ANGLES_DEGREES) * signed[:3]
    jittered = spacing + spacing_jitter * min(spacing) * signed[3:]
    return _rotation(angles) * jittered[None, :] / np.asarray(spacing)[:, None]


def _rotation(angles):
    result = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        result = result @ turn
    return result
