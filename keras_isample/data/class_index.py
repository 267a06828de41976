"""The voxels of each class, where patches may be centered."""

import numpy as np


def index_classes(
    label_map: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lists the foreground voxels of a label map, class by class.

    The background is not listed: its voxels are found by rank, as those
    between the foreground (`sampling.centers`).

    Args:
        label_map: Integer classes, below `num_classes`.
        num_classes: Number of classes including background.

    Returns:
        `(positions, counts)`: flat positions in C order, int32, those of class
        1 first, ascending within a class; and voxels of each class, background
        included, int64, shape `(num_classes,)`.

    Raises:
        ValueError: If the label map has 2**31 voxels or more.
    """
    if label_map.size >= 2**31:
        raise ValueError(
            "A label map must have fewer than 2**31 voxels. "
            f"Received: {label_map.size}. Use a coarser spacing."
        )
    flat = label_map.ravel()
    foreground = np.flatnonzero(flat).astype(np.int32)
    classes = flat[foreground]
    order = np.argsort(classes, kind="stable")
    counts = np.bincount(classes, minlength=num_classes).astype(np.int64)
    counts[0] = flat.size - foreground.size
    return foreground[order], counts
