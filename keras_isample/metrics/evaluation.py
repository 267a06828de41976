"""Every metric of one predicted label map against its reference."""

from collections.abc import Iterable
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.overlap import confusion_counts
from keras_isample.volumes.surface import assd
from keras_isample.volumes.surface import hd95
from keras_isample.volumes.surface import nsd
from keras_isample.volumes.surface import surface_distances
from keras_isample.volumes.volume import Volume

#: The metrics of one structure, in the order in which they are written. The
#: first eight are nnU-Net's. Distances in mm, volumes in ml.
METRICS = (
    "Dice",
    "IoU",
    "TP",
    "FP",
    "FN",
    "TN",
    "n_pred",
    "n_ref",
    "HD95",
    "ASSD",
    "NSD_1mm",
    "NSD_2mm",
    "volume_ref_ml",
    "volume_pred_ml",
)


def evaluate_labels(
    reference: Volume | np.ndarray,
    prediction: Volume | np.ndarray,
    class_names: Sequence[str],
    *,
    spacing: Sequence[float] | None = None,
    not_annotated: Iterable[int] = (),
) -> dict[str, dict[str, float | int | None]]:
    """Compares a predicted label map with its reference, class by class.

    A structure that both maps lack has no Dice, IoU, distance or NSD (None).
    One that only one of them holds has Dice, IoU and NSD 0, and no HD95 or
    ASSD: they would be infinite. One that nobody annotated has no metric at
    all. None is left out of means, so read HD95 and ASSD together with Dice.

    Args:
        reference: Integer classes, shape `(X, Y, Z)`; a 2D slice has `Z` 1.
        prediction: The same, on the same grid.
        class_names: One name per class, background first.
        spacing: mm per voxel along each axis. May be left out if the
            reference or the prediction is a `Volume`.
        not_annotated: Indices of classes that the reference leaves out.

    Returns:
        Class index from 1 on, as a string -> metrics, see `METRICS`. Plain
        numbers and None, ready for JSON.

    Raises:
        ValueError: If the grids differ, the spacing is missing, or a map or
            `not_annotated` holds anything but indices of `class_names`.

    Example:
    >>> metrics = evaluate_labels(
    ...     np.ones((4, 4, 4), int),
    ...     np.ones((4, 4, 4), int),
    ...     ["background", "liver"],
    ...     spacing=(1, 1, 1.5),
    ... )
    >>> metrics["1"]["Dice"]
    1.0
    """
    spacing = _spacing(reference, prediction, spacing)
    reference, prediction = _array(reference), _array(prediction)
    num_classes = len(class_names)
    not_annotated = _check_not_annotated(not_annotated, num_classes)
    _check_axes(reference, spacing)
    counts = confusion_counts(reference, prediction, num_classes)
    boxes = _boxes(reference, prediction, num_classes)
    results = {}
    for k in range(1, num_classes):
        if k in not_annotated:
            results[str(k)] = dict.fromkeys(METRICS)
            continue
        values = _overlap(**{c: int(counts[c][k]) for c in counts})
        values |= _surface(reference, prediction, k, boxes[k], spacing)
        milliliters = float(np.prod(spacing)) / 1000
        values["volume_ref_ml"] = values["n_ref"] * milliliters
        values["volume_pred_ml"] = values["n_pred"] * milliliters
        results[str(k)] = {name: values[name] for name in METRICS}
    return results


def _overlap(TP, FP, FN, TN):
    differ = FP + FN
    absent = TP + differ == 0
    return {
        "Dice": None if absent else 2 * TP / (2 * TP + differ),
        "IoU": None if absent else TP / (TP + differ),
        "TP": TP,
        "FP": FP,
        "FN": FN,
        "TN": TN,
        "n_pred": TP + FP,
        "n_ref": TP + FN,
    }


def _surface(reference, prediction, class_index, box, spacing):
    if box is None:
        return dict.fromkeys(("HD95", "ASSD", "NSD_1mm", "NSD_2mm"))
    distances = surface_distances(
        reference[box] == class_index, prediction[box] == class_index, spacing
    )
    return {
        "HD95": hd95(*distances),
        "ASSD": assd(*distances),
        "NSD_1mm": nsd(*distances, tolerance=1.0),
        "NSD_2mm": nsd(*distances, tolerance=2.0),
    }


def _boxes(reference, prediction, num_classes):
    """Class -> the box that holds it in both maps, None if neither has it.

    Each box is a voxel wider than needed where the scan allows: a structure
    of a single slice must not look like a scan of a single slice.
    """
    pairs = zip(
        _find(reference, num_classes),
        _find(prediction, num_classes),
        strict=True,
    )
    boxes = [None]
    for pair in pairs:
        found = [box for box in pair if box is not None]
        boxes.append(_union(found, reference.shape) if found else None)
    return boxes


def _find(label_map, num_classes):
    if label_map.dtype == bool:
        label_map = label_map.view(np.uint8)
    return ndimage.find_objects(label_map, max_label=num_classes - 1)


def _union(boxes, shape):
    return tuple(
        slice(
            max(0, min(s.start for s in sides) - 1),
            min(size, max(s.stop for s in sides) + 1),
        )
        for size, *sides in zip(shape, *boxes, strict=True)
    )


def _array(label_map):
    if isinstance(label_map, Volume):
        return label_map.array
    return np.asarray(label_map)


def _spacing(reference, prediction, spacing):
    volumes = [v for v in (reference, prediction) if isinstance(v, Volume)]
    if len(volumes) == 2:
        check_same_grid(reference, "reference", prediction, "prediction")
    if spacing is None and not volumes:
        raise ValueError(
            "Argument `spacing` must give mm per voxel where the label maps "
            "are arrays. Received: spacing=None. Pass it, or pass a `Volume`."
        )
    return volumes[0].spacing if spacing is None else tuple(spacing)


def _check_axes(reference, spacing):
    if reference.ndim != 3 or len(spacing) != 3 or min(spacing) <= 0:
        raise ValueError(
            "Label maps must have three axes and `spacing` three positive "
            f"values. Received: shape {reference.shape}, spacing {spacing}. "
            "Give a 2D slice a third axis of size 1."
        )


def _check_not_annotated(indices, num_classes):
    indices = {int(i) for i in indices}
    wrong = sorted(i for i in indices if not 1 <= i < num_classes)
    if wrong:
        raise ValueError(
            "Argument `not_annotated` must hold class indices from 1 to "
            f"{num_classes - 1}. Received: {wrong}."
        )
    return indices
