"""Largest connected components of each class of a label map.

Two voxels are connected if they share a face, an edge or a corner (26
neighbors in 3D). A thin oblique structure, such as a rib or the tail of a
pancreas, would fall apart if only faces counted; a spurious island that
touches an organ in one corner stays with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import from_canonical
from keras_isample.volumes.volume import to_canonical

# A further component stays if it has this share of the voxels of the largest.
MIN_SHARE = 0.2

_SLAB_VOXELS = 1 << 24


@dataclass(frozen=True)
class Removed:
    """What was removed of one class.

    Args:
        components: How many components.
        voxels: How many voxels they had together.
    """

    components: int
    voxels: int


def keep_largest_components(
    label_map: np.ndarray, *, counts: Mapping[int, int | None] | None = None
) -> np.ndarray:
    """Turns all but the largest components of each class into background.

    Args:
        label_map: Integer classes, 0 is background, any number of axes.
        counts: Class -> how many components it may keep, 1 if not given; 2
            for a left and a right organ merged into one class; `None` for
            all. Each beyond the first is kept only if it has at least a fifth
            of the voxels of the first. Of equally large ones the first in scan
            order wins.

    Returns:
        A new array of the shape and dtype of `label_map`, in C order.

    Raises:
        ValueError: If `label_map` holds no integers or negative ones, or a
            count is below 1.

    Example:
    >>> keep_largest_components(np.array([1, 0, 1, 1, 0, 2]))
    array([0, 0, 1, 1, 0, 2])
    """
    return _keep_largest(label_map, counts)[0]


def keep_largest_in_scan(
    labels: Volume, *, counts: Mapping[int, int | None] | None = None
) -> tuple[Volume, dict[int, Removed]]:
    """`keep_largest_components`, the same however the axes are stored.

    Of equally large components the first in scan order wins, so that voxels
    are gone through along the anatomical axes (closest RAS+), not the file's.

    Args:
        labels: Label map with its place in space.
        counts: As of `keep_largest_components`.

    Returns:
        A new label map on the grid of `labels`, and what was removed of each
        class that has lost anything.
    """
    kept, removed = _keep_largest(to_canonical(labels).array, counts)
    return Volume(from_canonical(kept, labels), labels.affine), removed


def component_sizes(
    label_map: np.ndarray, num_classes: int, most: int
) -> list[list[int]]:
    """Voxels of the largest components of each class.

    Args:
        label_map: Integer classes below `num_classes`, any number of axes.
        num_classes: Number of classes including background.
        most: How many components of a class are listed.

    Returns:
        A list for each class, the largest component first; empty for the
        background and for classes that are absent.
    """
    result = [[] for _ in range(num_classes)]
    for class_index, box in enumerate(_boxes(label_map), start=1):
        if box is not None:
            _, sizes = _components(label_map[box] == class_index)
            sizes = np.sort(sizes[1:])[::-1]
            result[class_index] = [int(size) for size in sizes[:most]]
    return result


def _keep_largest(label_map, counts):
    """The array that is left, and what was `Removed` of each class."""
    label_map = np.asarray(label_map)
    counts = counts or {}
    _check(label_map, counts)
    # In C order: SciPy labels Fortran-ordered arrays, as read from NIfTI,
    # some ten times slower, and ties would depend on the order in memory.
    result = label_map.copy(order="C")
    removed = {}
    for class_index, box in enumerate(_boxes(result), start=1):
        count = counts.get(class_index, 1)
        if box is None or count is None:
            continue
        lost = _keep_in_box(result[box], class_index, count)
        if lost.components:
            removed[class_index] = lost
    return result, removed


def _boxes(label_map):
    """The bounding box of each class from 1 on, None for an absent one."""
    if not label_map.size:
        return []
    if label_map.dtype == bool:
        label_map = label_map.view(np.uint8)
    return ndimage.find_objects(label_map)


def _keep_in_box(box, class_index, count):
    """Clears the small components of one class; `box` is changed in place."""
    components, sizes = _components(box == class_index)
    removed = np.ones(len(sizes), dtype=bool)
    removed[0] = False
    removed[_largest(sizes, count)] = False
    if removed.any():
        parts = zip(_slabs(components), _slabs(box), strict=True)
        for part, target in parts:
            target[removed[part]] = 0
    return Removed(int(removed.sum()), int(sizes[removed].sum()))


def _components(mask):
    """Number of the component of each voxel, and voxels of each component."""
    # In C order, see `_keep_largest`.
    mask = np.ascontiguousarray(mask)
    neighbors = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    components, number = ndimage.label(mask, structure=neighbors)
    sizes = np.zeros(number + 1, np.int64)
    for part in _slabs(components):
        sizes += np.bincount(part.ravel(), minlength=number + 1)
    sizes[0] = 0
    return components, sizes


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
        if count is not None and count < 1:
            raise ValueError(
                "Argument `counts` must allow at least one component a "
                f"class. Received: {count} for class {class_index}."
            )
