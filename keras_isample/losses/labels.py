"""What the labels say: true classes, weights, merged classes; and E(x).

Labels of partially annotated cases are coded as `class + 256 * s`. With s = 0
the example is fully annotated; with s >= 1 the classes `merged_classes[s - 1]`
were not annotated in it, so that a voxel called background may as well be of
one of them: p(background) and their probabilities count as one class. All
voxels of an example carry the same s, except for ignored ones.

A voxel that is labeled as one of the merged classes all the same (a structure
of which only a part was annotated) keeps its own class where voxels count one
by one, as in cross-entropy; where classes are compared as a whole, as in Dice,
it is background like the others.

There can be at most 255 classes, and 256 if no label is ignored.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

SET_STEP = 256
"""Difference between the codes of a class in two annotation sets."""

OUTSIDE_LABEL = 255
"""Label of what lies outside of the scan; losses ignore it."""

_SMALLEST = 1e-30
"""Keeps log(p) finite. A voxel keeps its gradient up to a difference of 69
between logits, beyond which `from_logits=True` is needed."""

_SMALLEST_HALF = 2.0**-14
"""The same for float16 probabilities, whose gradient 1/p has to stay below
65504: smaller ones are on the tangent of the logarithm."""

_EXCLUDED = -1e30
"""Log of the probability of a class that is not in a sum."""


class Targets(NamedTuple):
    """What a loss compares the predictions of a batch with.

    Attributes:
        true: Probability of each class, one-hot for integer labels, shape
            `(batch, *spatial, num_classes)`.
        weight: How often a voxel counts, 0 if ignored, `(batch, *spatial)`.
        merged: 1 for each class that counts as background, shape
            `(batch, 1, ..., num_classes)`; `None` if none ever does.
    """

    true: object
    weight: object
    merged: object


def decode_labels(y_true, ignore_label=255):
    """Splits coded integer labels into their parts.

    Args:
        y_true: Labels `class + 256 * s`, shape `(batch, *spatial)`. Ignored
            voxels are `ignore_label` with any s.
        ignore_label: Label of voxels without weight, or `None`.

    Returns:
        classes: int32, shape `(batch, *spatial)`; 0 where ignored.
        valid: float32, 1 or 0 where ignored, same shape.
        sets: int32, s of each example, shape `(batch,)`.
    """
    labels = ops.cast(y_true, "int32")
    classes = ops.mod(labels, SET_STEP)
    sets = ops.floor_divide(labels, SET_STEP)
    axes = tuple(range(1, len(labels.shape)))
    sets = ops.maximum(ops.max(sets, axis=axes), 0)
    if ignore_label is None:
        return classes, ops.ones_like(classes, dtype="float32"), sets
    ignored = ops.equal(classes, ignore_label % SET_STEP)
    valid = 1.0 - ops.cast(ignored, "float32")
    return ops.where(ignored, 0, classes), valid, sets


def make_targets(
    y_true,
    y_pred,
    *,
    ignore_label=255,
    merged_classes=(),
    voxel_weight=None,
):
    """The `Targets` of a batch.

    Args:
        y_true: Integer labels, shape `(batch, *spatial)` or `(batch,
            *spatial, 1)`; or the probability of each class, as one-hot
            labels, shape of `y_pred`, where neither `ignore_label` nor
            annotation sets apply.
        y_pred: Predictions, shape `(batch, *spatial, num_classes)`.
        ignore_label: Label of voxels without weight, or `None`. Labels that
            are no class have none either.
        merged_classes: A tuple of classes for each annotation set.
        voxel_weight: Shape `(batch, *spatial)` or `(batch, *spatial, 1)`, or
            `None`.

    Raises:
        ValueError: If the shapes of labels and predictions do not fit, as far
            as they are known when a graph is traced.
    """
    num_classes = y_pred.shape[-1]
    if _is_one_hot(y_true, y_pred):
        true = ops.cast(y_true, "float32")
        weight = ops.ones_like(true[..., 0])
        merged = None
    else:
        labels = _without_last_axis(y_true, y_pred)
        classes, weight, sets = decode_labels(labels, ignore_label)
        weight = weight * ops.cast(ops.less(classes, num_classes), "float32")
        true = _one_hot(classes, num_classes)
        merged = _merged(sets, merged_classes, y_pred)
    if voxel_weight is not None:
        voxel_weight = ops.cast(voxel_weight, "float32")
        weight = weight * _without_last_axis(voxel_weight, y_pred)
    return Targets(true, weight, merged)


def probabilities(y_pred, from_logits):
    """Probabilities in float32."""
    y_pred = ops.cast(y_pred, "float32")
    return ops.softmax(y_pred, axis=-1) if from_logits else y_pred


def log_probabilities(y_pred, targets, from_logits):
    """Logarithm of what each label is worth, in float32.

    That of background is log(p(background) + sum of p of the classes merged
    with it); the others are log(p). Finite for p = 0.
    """
    if from_logits:
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        if targets.merged is None:
            return log_p
        terms = ops.where(_is_background(targets), log_p, _EXCLUDED)
        background = ops.logsumexp(terms, axis=-1, keepdims=True)
        return ops.concatenate([background, log_p[..., 1:]], axis=-1)
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    p = ops.cast(y_pred, "float32")
    if targets.merged is not None:
        background = ops.where(_is_background(targets), p, 0.0)
        background = ops.sum(background, axis=-1, keepdims=True)
        p = ops.concatenate([background, p[..., 1:]], axis=-1)
    if dtype != "float16":
        return ops.log(ops.maximum(p, _SMALLEST))
    below = ops.minimum(p, _SMALLEST_HALF) / _SMALLEST_HALF - 1.0
    return ops.log(ops.maximum(p, _SMALLEST_HALF)) + below


def fold(values, targets):
    """Adds the merged classes of each example to its background.

    Args:
        values: Probabilities or labels, `(batch, *spatial, num_classes)`.
        targets: `Targets` of the batch.

    Returns:
        The same shape; 0 for merged classes.
    """
    if targets.merged is None:
        return values
    moved = ops.sum(values * targets.merged, axis=-1, keepdims=True)
    kept = values * (1.0 - targets.merged)
    return ops.concatenate([kept[..., :1] + moved, kept[..., 1:]], axis=-1)


def label_errors(y_true, probabilities, merged_classes=()):
    """E(x) = 1 - p(true class at x) of batches, as cross-entropy sees it.

    The error of the isample papers (Algorithm 1). Where classes are merged with
    the background, p(background) includes theirs.

    Args:
        y_true: Integer labels, `class + 256 * s`, shape `(batch, *spatial)`.
        probabilities: Shape `(batch, *spatial, num_classes)`.
        merged_classes: A tuple of classes for each annotation set.

    Returns:
        float32, shape `(batch, *spatial)`; 1 for labels that are no class.
    """
    labels = ops.cast(y_true, "int32")
    count = probabilities.shape[-1]
    right = _one_hot(ops.mod(labels, SET_STEP), count)
    if merged_classes:
        merged = np.zeros((1 + len(merged_classes), count), "float32")
        for number, classes in enumerate(merged_classes, start=1):
            merged[number, list(classes)] = 1
        sets = ops.floor_divide(labels, SET_STEP)
        sets = ops.where(sets < len(merged), sets, 0)
        others = ops.take(ops.convert_to_tensor(merged), sets, axis=0)
        right = right + right[..., :1] * others
    p = ops.cast(probabilities, "float32")
    return 1.0 - ops.sum(right * p, axis=-1)


def voxel_errors(labels, probabilities, merged=()):
    """E(x) = 1 - p(true class at x) of voxels of one case, in NumPy.

    The same as `label_errors` for whole scans, which are predicted in tiles.

    Args:
        labels: Classes as trained, int64 `(...)`, all of them known.
        probabilities: float, `(..., classes)`, all classes.
        merged: Classes that count as background in the case.

    Returns:
        float `(...)`.
    """
    true = np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]
    if merged:
        others = probabilities[..., list(merged)].sum(axis=-1)
        true = np.where(labels == 0, true + others, true)
    return 1.0 - true


def label_codes(sets):
    """Codes of the classes in each annotation set.

    Args:
        sets: The `merged_classes`, one tuple of classes per annotation set.

    Returns:
        int32 `(1 + len(sets), 256)`: a voxel of label k in a case of set s has
        the code `[s, k]`; the first row is that of cases that were wholly
        annotated. Merged classes have the code of the background, and
        `OUTSIDE_LABEL` stays as it is.
    """
    codes = np.tile(np.arange(SET_STEP, dtype=np.int32), (1 + len(sets), 1))
    for s, merged in enumerate(sets, start=1):
        codes[s, list(merged)] = 0
        codes[s] += SET_STEP * s
    codes[:, OUTSIDE_LABEL] = OUTSIDE_LABEL
    return codes


def check_merged_classes(merged_classes):
    """`merged_classes` as a tuple of tuples.

    Raises:
        ValueError: If it is no sequence of sets of foreground classes.
    """
    try:
        sets = tuple(tuple(int(k) for k in each) for each in merged_classes)
    except TypeError:
        sets = ((0,),)
    for each in sets:
        if not each or min(each) < 1 or len(set(each)) < len(each):
            raise ValueError(
                "Argument `merged_classes` must hold tuples of different "
                "foreground classes, one tuple for each annotation set, such "
                f"as ((1,), (1, 2)). Received: merged_classes={merged_classes}."
            )
    return sets


def _is_one_hot(y_true, y_pred):
    rank, num_classes = len(y_pred.shape), y_pred.shape[-1]
    if _fits(y_true.shape, y_pred.shape[:-1]):
        return False
    if len(y_true.shape) == rank:
        maps = y_true.shape[-1]
        inside = _fits(y_true.shape[:-1], y_pred.shape[:-1])
        if inside and maps in (1, num_classes):
            return maps != 1
    raise ValueError(
        "Labels must be integers of shape (batch, *spatial) or (batch, "
        "*spatial, 1), or one-hot of the shape of the predictions. Received: "
        f"y_true of shape {tuple(y_true.shape)}, y_pred of shape "
        f"{tuple(y_pred.shape)}."
    )


def _fits(shape, expected):
    """Whether shapes are equal, as far as both are known."""
    return len(shape) == len(expected) and all(
        None in sides or sides[0] == sides[1]
        for sides in zip(shape, expected, strict=True)
    )


def _without_last_axis(values, y_pred):
    if len(values.shape) == len(y_pred.shape):
        return ops.squeeze(values, axis=-1)
    return values


def _merged(sets, merged_classes, y_pred):
    """Row of each example in a table of the sets."""
    if not merged_classes:
        return None
    num_classes = y_pred.shape[-1]
    last = max(max(each) for each in merged_classes)
    if last >= num_classes:
        raise ValueError(
            f"Argument `merged_classes` names class {last}, but the "
            f"predictions have {num_classes} classes."
        )
    table = np.zeros((len(merged_classes) + 1, num_classes), "float32")
    for row, classes in enumerate(merged_classes, start=1):
        table[row, list(classes)] = 1
    rows = _one_hot(sets, len(table))
    merged = ops.matmul(rows, ops.convert_to_tensor(table))
    spatial = (1,) * (len(y_pred.shape) - 2)
    return ops.reshape(merged, (-1, *spatial, num_classes))


def _one_hot(values, count):
    """One-hot in float32; all 0 for values beyond, which torch refuses."""
    same = ops.equal(values[..., None], ops.arange(count, dtype="int32"))
    return ops.cast(same, "float32")


def _is_background(targets):
    """True for background and the classes merged with it."""
    first = np.zeros(targets.merged.shape[-1], "float32")
    first[0] = 1
    return targets.merged + ops.convert_to_tensor(first) > 0
