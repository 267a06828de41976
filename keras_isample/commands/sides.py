"""Left and right apart, where one class merges both."""

from dataclasses import replace

import numpy as np

from keras_isample.data.structures import LabelClass
from keras_isample.data.structures import normalize_name
from keras_isample.data.structures import split_side
from keras_isample.volumes.volume import Volume


def side_cohort(cohort):
    """The cohort with one class for each side of its merged classes.

    Returns:
        `(cohort, origins)`: `origins[i]` is the index of the merged class that
        class `i + 1` is a side of. Without merged classes both are empty.
    """
    classes, origins = [], []
    for index, label_class in enumerate(cohort.classes, start=1):
        if label_class.merges_sides:
            for structure in label_class.structures:
                name = normalize_name(structure)
                classes.append(LabelClass(name, (structure,)))
                origins.append(index)
    return replace(cohort, classes=tuple(classes)), tuple(origins)


def split_sides(prediction, reference, cohort, origins):
    """Gives the voxels of merged classes to the side on which they lie.

    The plane between the sides is sagittal (constant along the world's
    left-right axis) and lies midway between the centers of the two reference
    structures, or in the middle of the scan if one is absent.

    Args:
        prediction: `Volume` of merged classes.
        reference: `Volume` of the classes of `cohort`, on the same grid.
        cohort: From `side_cohort`.
        origins: From `side_cohort`.

    Returns:
        `Volume` of the classes of `cohort`.
    """
    result = np.zeros(prediction.shape, np.uint8)
    toward_right = prediction.affine[0, :3]
    scan_center = toward_right @ (np.array(prediction.shape) - 1) / 2
    for merged in dict.fromkeys(origins):
        sides = [i + 1 for i, k in enumerate(origins) if k == merged]
        centers = []
        for index in sides:
            place = np.argwhere(reference.array == index)
            if len(place):
                centers.append(toward_right @ place.mean(axis=0))
        both = len(centers) == len(sides)
        plane = np.mean(centers) if both else scan_center
        place = np.argwhere(prediction.array == merged)
        right = place @ toward_right > plane
        for index in sides:
            side, _ = split_side(cohort.classes[index - 1].name)
            mine = place[right == (side == "right")]
            result[tuple(mine.T)] = index
    return Volume(result, prediction.affine)
