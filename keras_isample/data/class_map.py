"""Puts label maps and organ masks together into one map of classes."""

import logging
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_isample.data.copied_images import refuse_copy
from keras_isample.data.copied_images import refuse_image
from keras_isample.data.label_values import label_values
from keras_isample.data.layout import Case
from keras_isample.data.structures import LabelClass
from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import onto_grid
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.volume import Volume

MOST_CLASSES = 254  # Foreground classes that fit in uint8.

logger = logging.getLogger(__name__)


def merge_label_map(
    case: Case,
    classes: Sequence[LabelClass],
    structures: Mapping[str, int],
    images: Sequence[Volume] = (),
) -> Volume:
    """Renames the values of a label map to class indices.

    Args:
        case: A case with a label map.
        classes: Foreground classes; structures of none are background.
        structures: Name to value in the label map.
        images: Channels of the case, if they are known, so that a label map
            that is a copy of one is refused.

    Returns:
        `uint8` classes on the grid of the image.

    Raises:
        InputError: If the label map has a value that no structure has, lies
            at another place than the images, or holds one of them.
    """
    grid = _image_grid(case)
    labels = _read_labels(case, case.label_map, grid, images)
    known = {0, *structures.values()}
    unknown = sorted(label_values(labels.array) - known)
    if unknown:
        refuse_copy(case.label_map, case.images)
        raise InputError(
            case.label_map,
            f"unknown label value {', '.join(map(str, unknown[:5]))}; known "
            f"are {', '.join(map(str, sorted(known)))}",
            "Name the value in dataset.json, or correct the label map",
        )
    table = np.zeros(max(known) + 1, dtype=np.uint8)
    for index, label_class in enumerate(classes, start=1):
        table[[structures[name] for name in label_class.structures]] = index
    return Volume(table[labels.array], grid.affine)


def merge_masks(
    case: Case, classes: Sequence[LabelClass], images: Sequence[Volume] = ()
) -> Volume:
    """Writes the class index of every mask into one map.

    A voxel in the masks of two classes belongs to the later one.

    Args:
        case: A case with a mask of at least one class.
        classes: Foreground classes; masks of no class are not read.
        images: As of `merge_label_map`.

    Returns:
        `uint8` classes on the grid of the image.

    Raises:
        InputError: If a mask is not binary, lies at another place than the
            images, or holds one of them.
    """
    grid = _image_grid(case)
    merged, claimed_twice = np.zeros(grid.shape, np.uint8), 0
    for index, label_class in enumerate(classes, start=1):
        for name in label_class.structures:
            if name not in case.masks:
                continue
            mask = _read_mask(case, case.masks[name], grid, images)
            claimed = merged[mask]
            claimed_twice += np.count_nonzero(~np.isin(claimed, (0, index)))
            merged[mask] = index
    if claimed_twice:
        logger.info(
            "%s: %d voxels lie in masks of two classes; the later class in "
            "the list has them",
            case.name,
            claimed_twice,
        )
    return Volume(merged, grid.affine)


def _image_grid(case: Case) -> Grid:
    """Where the images lie, from their headers."""
    # Whoever reads the scans says what is odd about them, once.
    grids = [read_grid(image, warn=lambda line: None) for image in case.images]
    for image, grid in zip(case.images, grids, strict=True):
        check_same_place(grids[0], case.images[0], grid, image)
    return grids[0]


def _read_labels(
    case: Case, path: Path, grid: Grid, images: Sequence[Volume]
) -> Volume:
    """The labels of a file, with the axes of the image."""
    try:
        labels = read_label_map(path)
    except InputError:
        refuse_copy(path, case.images)
        raise
    labels = onto_grid(grid, case.images[0], labels, path)
    files = case.images
    if len(files) == 1:
        # An RGB picture holds all channels.
        files *= len(images)
    refuse_image(path, labels, zip(files, images, strict=False))
    return labels


def _read_mask(
    case: Case, path: Path, grid: Grid, images: Sequence[Volume]
) -> np.ndarray:
    mask = _read_labels(case, path, grid, images)
    values = sorted(label_values(mask.array) - {0})
    if len(values) > 1:
        refuse_copy(path, case.images)
        raise InputError(
            path,
            f"is no binary mask: beside 0 it holds {values[:5]}",
            "Write 1 inside the organ and 0 elsewhere",
        )
    return mask.array != 0
