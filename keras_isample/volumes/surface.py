"""Distances between the surfaces of two structures, and what they sum up to.

A surface voxel is a voxel of the structure of which a face neighbor is
outside, as in MONAI (`get_mask_edges`: mask minus its binary erosion).
Outside of the scan counts as outside of the structure, so the cut through an
organ at the border of the scan is surface too. Distances run from the center
of a surface voxel of one structure to the center of the nearest surface voxel
of the other. The values agree with MONAI's `compute_hausdorff_distance`,
`compute_average_surface_distance(symmetric=True)` and `compute_surface_dice`
(each surface voxel weighs the same; the surface-distance package weighs them
by their area instead).
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

# Spacings come through float32 headers and oblique matrices: a distance of one
# voxel of 1 mm must not miss a tolerance of 1 mm by rounding.
_TOLERANCE_SLACK = 1e-5

# A distance transform takes about 0.1 us per voxel of the box, a search tree 1
# to 10 us per surface voxel. Where these are fewer than this share of the box
# (a large organ; false positives far away), the tree is faster, by up to ten
# times, and needs no memory for the box.
_DENSE_SHARE = 0.02


def surface_distances(
    reference_mask: np.ndarray,
    prediction_mask: np.ndarray,
    spacing: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the surface voxels of each structure to the other surface.

    Exact. Works in the bounding box of both masks.

    An axis along which the arrays have a single voxel (a 2D slice) is left
    out: the two faces of the slice are no surface.

    Args:
        reference_mask: Boolean array.
        prediction_mask: Boolean array, same shape.
        spacing: mm per voxel along each axis.

    Returns:
        `(from_reference, from_prediction)`: two float64 arrays, mm, one value
        per surface voxel. A structure without voxels has no distances, and
        then those from the other one are infinite.

    Raises:
        ValueError: If the shapes differ or `spacing` does not fit them.
    """
    reference_mask = np.asarray(reference_mask, dtype=bool)
    prediction_mask = np.asarray(prediction_mask, dtype=bool)
    _check(reference_mask, prediction_mask, spacing)
    axes = [i for i, n in enumerate(reference_mask.shape) if n > 1] or [0]
    single = tuple(i for i in range(reference_mask.ndim) if i not in axes)
    spacing = np.asarray(spacing, dtype=np.float64)[axes]
    box = _common_box(
        reference_mask.squeeze(single), prediction_mask.squeeze(single)
    )
    reference_edge, prediction_edge = (_edge(mask) for mask in box)
    return (
        _distances(reference_edge, prediction_edge, spacing),
        _distances(prediction_edge, reference_edge, spacing),
    )


def hd95(
    from_reference: np.ndarray, from_prediction: np.ndarray
) -> float | None:
    """Larger of the two directed 95th percentiles of surface distances, mm.

    Args:
        from_reference: Distances as of `surface_distances`.
        from_prediction: The same.

    Returns:
        mm, or None if either structure is empty: the distance would be
        infinite, which JSON cannot hold and no mean survives.
    """
    if not from_reference.size or not from_prediction.size:
        return None
    percentiles = [
        np.percentile(distances, 95)
        for distances in (from_reference, from_prediction)
    ]
    return float(max(percentiles))


def assd(
    from_reference: np.ndarray, from_prediction: np.ndarray
) -> float | None:
    """Average symmetric surface distance, mm.

    The mean over all surface voxels of both structures together.

    Args:
        from_reference: Distances as of `surface_distances`.
        from_prediction: The same.

    Returns:
        mm, or None if either structure is empty (see `hd95`).
    """
    if not from_reference.size or not from_prediction.size:
        return None
    return float(np.concatenate([from_reference, from_prediction]).mean())


def nsd(
    from_reference: np.ndarray, from_prediction: np.ndarray, tolerance: float
) -> float | None:
    """Normalized surface Dice: share of both surfaces within a tolerance.

    Args:
        from_reference: Distances as of `surface_distances`.
        from_prediction: The same.
        tolerance: mm; a distance of exactly this much is within it.

    Returns:
        From 0 to 1; 0 if one structure is empty, None if both are.
    """
    distances = np.concatenate([from_reference, from_prediction])
    if not distances.size:
        return None
    return float(np.mean(distances <= tolerance * (1 + _TOLERANCE_SLACK)))


def _common_box(reference_mask, prediction_mask):
    """Both masks, cropped to the box that holds both and padded by 1."""
    union = reference_mask | prediction_mask
    found = ndimage.find_objects(union.view(np.uint8))
    box = found[0] if found else tuple(slice(0, 0) for _ in union.shape)
    return np.pad(reference_mask[box], 1), np.pad(prediction_mask[box], 1)


def _edge(mask):
    return mask & ~ndimage.binary_erosion(mask)


def _distances(from_edge, to_edge, spacing):
    """Distance from each voxel of one edge to the nearest of the other."""
    points = np.argwhere(from_edge)
    if not to_edge.any():
        return np.full(len(points), np.inf)
    if len(points) > _DENSE_SHARE * from_edge.size:
        return _distances_by_transform(points, to_edge, spacing)
    return _distances_by_tree(points, to_edge, spacing)


def _distances_by_transform(points, edge, spacing):
    # The nearest voxels, not their distances: those of all voxels of the box
    # would take three float64 arrays of its size.
    nearest = ndimage.distance_transform_edt(
        ~edge, spacing, return_distances=False, return_indices=True
    )
    squares = np.zeros(len(points))
    for axis, mm in enumerate(spacing):
        index = nearest[axis][tuple(points.T)]
        squares += ((points[:, axis] - index) * mm) ** 2
    return np.sqrt(squares)


def _distances_by_tree(points, edge, spacing):
    tree = KDTree(np.argwhere(edge) * spacing, leafsize=32)
    return tree.query(points * spacing)[0]


def _check(reference_mask, prediction_mask, spacing):
    shape = reference_mask.shape
    if shape != prediction_mask.shape:
        raise ValueError(
            "Arguments `reference_mask` and `prediction_mask` must have one "
            f"shape. Received: {shape} and {prediction_mask.shape}."
        )
    if not shape or len(spacing) != len(shape) or min(spacing) <= 0:
        raise ValueError(
            "Argument `spacing` must have one positive value, in mm, for "
            f"each axis. Received: {tuple(spacing)} for shape {shape}."
        )
