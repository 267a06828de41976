"""Largest connected components of each class of a label map.

Two voxels are connected if they share a face, an edge or a corner (26
neighbors in 3D). A thin oblique structure, such as a rib or the tail of a
pancreas, would fall apart if only faces counted; a spurious island that
touches an organ in one corner stays with it.
"""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import from_canonical
from keras_isample.volumes.volume import to_canonical

# A further component stays if it has this share of the voxels of the largest.
MIN_SHARE = 0.2

_SLAB_VOXELS = 1 << 24


def keep_largest_components(
    label_map: np.ndarray, *, counts: Mapping[int, int] | None = None
) -> np.ndarray:
    """Turns all but the largest components of each class into background.

    Args:
        label_map: Integer classes, 0 is background, any number of axes.
        counts: Class -> how many components it may keep, 1 if not given; 2
            for a left and a right organ merged into one class. Each beyond
            the first is kept only if it has at least a fifth of the voxels
            of the first. Of equally large ones the first in scan order wins.

    Returns:
        A new array of the shape and dtype of `label_map`, in C order.

    Raises:
        ValueError: If `label_map` holds no integers or negative ones, or a
            count is below 1.

    Example:
    >>> keep_largest_components(np.array([1, 0, 1, 1, 0, 2]))
    array([0, 0, 1, 1, 0, 2])
    """
    label_map = np.asarray(label_map)
    _check(label_map, counts or {})
    # In C order: SciPy labels Fortran-ordered arrays, as read from NIfTI,
    # some ten times slower, and ties would depend on the order in memory.
    result = label_map.copy(order="C")
    for class_index, box in enumerate(_boxes(result), start=1):
        if box is not None:
            count = (counts or {}).get(class_index, 1)
            _keep_in_box(result[box], class_index, count)
    return result


def keep_largest_in_scan(
    labels: Volume, *, counts: Mapping[int, int] | None = None
) -> Volume:
    """`keep_largest_components`, the same however the axes are stored.

    Of equally large components the first in scan order wins, so that voxels
    are gone through along the anatomical axes (closest RAS+), not the file's.

    Args:
        labels: Label map with its place in space.
        counts: As of `keep_largest_components`.

    Returns:
        A new label map on the grid of `labels`.
    """
    kept = keep_largest_components(to_canonical(labels).array, counts=counts)
    return Volume(from_canonical(kept, labels), labels.affine)


def _boxes(label_map):
    """The bounding box of each class from 1 on, None for an absent one."""
    if not label_map.size:
        return []
    if label_map.dtype == bool:
        label_map = label_map.view(np.uint8)
    return ndimage.find_objects(label_map)


def _keep_in_box(box, class_index, count):
    """Clears the small components of one class; `box` is changed in place."""
    mask = box == class_index
    neighbors = ndimage.generate_binary_structure(box.ndim, box.ndim)
    components, number = ndimage.label(mask, structure=neighbors)
    del mask
    sizes = np.zeros(number + 1, np.int64)
    parts = list(_slabs(components))
    for part in parts:
        sizes += np.bincount(part.ravel(), minlength=number + 1)
    sizes[0] = 0
    removed = np.ones(number + 1, dtype=bool)
    removed[0] = False
    removed[_largest(sizes, count)] = False
    for part, target in zip(parts, _slabs(box), strict=True):
        target[removed[part]] = 0


def _slabs(array):
    """Views of parts along the first axis, to bound temporary arrays."""
    rows = max(1, _SLAB_VOXELS * len(array) // array.size)
    for first in range(0, len(array), rows):
        yield array[first : first + rows]


def _largest(sizes, count):
    """Indices of the components to keep, the largest first."""
    order = np.argsort(-sizes, kind="stable")[:count]
    return order[sizes[order] >= MIN_SHARE * sizes[order[0]]]


def _check(label_map, counts):
    if label_map.dtype.kind not in "biu":
        raise ValueError(
            "Argument `label_map` must hold integer classes. Received: dtype "
            f"{label_map.dtype}. Round it and cast it to an integer type."
        )
    if label_map.dtype.kind == "i" and label_map.min(initial=0) < 0:
        raise ValueError(
            "Argument `label_map` must hold classes from 0 on. Received: "
            f"{label_map.min()}. Map it to a class or to background first."
        )
    for class_index, count in counts.items():
        if count < 1:
            raise ValueError(
                "Argument `counts` must allow at least one component a "
                f"class. Received: {count} for class {class_index}."
            )
