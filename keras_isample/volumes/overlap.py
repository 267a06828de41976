"""Overlap of two label maps: confusion counts and Dice of each class."""

import numpy as np

# Voxels that are compared at once: bounds the temporary arrays to some 30 MB.
_SLAB_VOXELS = 2**20


def confusion_counts(
    reference: np.ndarray, prediction: np.ndarray, num_classes: int
) -> dict[str, np.ndarray]:
    """Counts the voxels on which two label maps agree and differ.

    Both maps are read once, slab by slab, so no temporary array of their
    size is made.

    Args:
        reference: Integer classes from 0 to `num_classes - 1`.
        prediction: The same, same shape.
        num_classes: Classes including background.

    Returns:
        `"TP"`, `"FP"`, `"FN"` and `"TN"`, each an int64 array of shape
        `(num_classes,)`, background first. Voxels.

    Raises:
        ValueError: If the shapes differ, or a map holds anything but integers
            from 0 to `num_classes - 1`.
    """
    reference, prediction = np.asarray(reference), np.asarray(prediction)
    _check(reference, prediction)
    joint = np.zeros(num_classes**2, dtype=np.int64)
    for one, other in _slabs(reference, prediction):
        _check_classes(one, "reference", num_classes)
        _check_classes(other, "prediction", num_classes)
        index = one.astype(np.intp)
        index *= num_classes
        np.add(index, other, out=index, casting="unsafe")
        joint += np.bincount(index, minlength=num_classes**2)
    joint = joint.reshape(num_classes, num_classes)
    in_both = np.diagonal(joint).copy()
    in_reference, in_prediction = joint.sum(axis=1), joint.sum(axis=0)
    return {
        "TP": in_both,
        "FP": in_prediction - in_both,
        "FN": in_reference - in_both,
        "TN": reference.size - in_reference - in_prediction + in_both,
    }


def dice_per_class(
    reference: np.ndarray, prediction: np.ndarray, num_classes: int
) -> np.ndarray:
    """Dice coefficient of each class, `2 TP / (2 TP + FP + FN)`.

    Args:
        reference: Integer classes from 0 to `num_classes - 1`.
        prediction: The same, same shape.
        num_classes: Classes including background.

    Returns:
        float64 array of shape `(num_classes,)`, background first; nan for a
        class that neither map holds, 0 for one that only one of them holds.

    Raises:
        ValueError: As `confusion_counts`.
    """
    counts = confusion_counts(reference, prediction, num_classes)
    both = 2.0 * counts["TP"]
    either = both + counts["FP"] + counts["FN"]
    nothing = np.full(num_classes, np.nan)
    return np.divide(both, either, out=nothing, where=either > 0)


def _slabs(reference, prediction):
    """Pairs of flat slabs, cut along the slowest axis in memory."""
    if reference.size == 0:
        return
    if reference.ndim == 0:
        reference, prediction = reference[None], prediction[None]
    order = "F" if _last_axis_slowest(reference) else "C"
    if order == "F":
        reference, prediction = reference.T, prediction.T
    thickness = max(1, _SLAB_VOXELS // (reference.size // len(reference)))
    for start in range(0, len(reference), thickness):
        slab = slice(start, start + thickness)
        yield reference[slab].ravel(), prediction[slab].ravel()


def _last_axis_slowest(array):
    return abs(array.strides[-1]) > abs(array.strides[0])


def _check(reference, prediction):
    if reference.shape != prediction.shape:
        raise ValueError(
            "Arguments `reference` and `prediction` must have one shape. "
            f"Received: {reference.shape} and {prediction.shape}. Put them on "
            "one grid first."
        )
    for name, array in ("reference", reference), ("prediction", prediction):
        if array.dtype.kind not in "biu":
            raise ValueError(
                f"Argument `{name}` must hold integer classes. Received: "
                f"dtype {array.dtype}. Cast it to an integer type."
            )


def _check_classes(slab, name, num_classes):
    low, high = int(slab.min()), int(slab.max())
    if low < 0 or high >= num_classes:
        wrong = low if low < 0 else high
        raise ValueError(
            f"Argument `{name}` must hold classes from 0 to "
            f"{num_classes - 1}. Received: {wrong}. Map its values to classes "
            "first, or raise `num_classes`."
        )
