"""Cross-entropy with more weight at boundaries.

References: Ronneberger et al., U-Net, 2015, equation 2; Guha Roy et al.,
QuickNAT, 2019 (weights of the loss). Both sum w(x) times cross-entropy; here
the sum is divided by the sum of w(x), as in `CrossEntropy`, so that learning
rates carry over.
"""

import math

import keras
from keras import ops

from keras_isample.losses.cross_entropy import CrossEntropy

KINDS = ("ronneberger", "gradient")

_FAR = 1e12
"""Squared distance to a structure that is not there, in voxels."""


@keras.saving.register_keras_serializable(package="keras_isample")
class BoundaryCrossEntropy(CrossEntropy):
    """`sum_x w(x) (-log p(x)) / sum_x w(x)` with w(x) larger at boundaries.

    `kind="ronneberger"`: `w = w_class + w_0 exp(-(d1 + d2)^2 / (2 sigma^2))`,
    where d1 and d2 are the distances from x to the nearest and to the second
    nearest structure, 0 inside. A structure is a foreground class: pieces of
    the same class are not told apart, other than Ronneberger's cells. So the
    weight is high in narrow gaps and where two structures touch. With a single
    structure it is w_class. Distances are Euclidean, in voxels, and exact;
    where d2 is 3 sigma or more the term, at most 0.0112 w_0, is taken as 0.
    Only structures within the patch are seen. The map is computed at every
    step, in time proportional to sigma, voxels and classes.

    `kind="gradient"`: `w = w_class + w_0` where a face neighbor is of another
    class, background included, else `w_class`: the boundary term of QuickNAT,
    with neighbors instead of central differences of label numbers.

    Ignored voxels belong to no class. In a partially annotated example what
    was not annotated has no boundary.

    Args:
        kind: `"ronneberger"` or `"gradient"`.
        boundary_weight: w_0. `None` for the papers': 10 for `"ronneberger"`;
            twice the largest class weight for `"gradient"`, which is
            `2 median(f) / min(f)` for median frequency weights.
        sigma: In voxels; for `"ronneberger"`.
        class_weights, batch, from_logits, ignore_label, merged_classes,
            reduction, name: As of `CrossEntropy`.

    Call arguments:
        As of `CrossEntropy`.

    Raises:
        ValueError: If `kind` is unknown, `boundary_weight` negative or `sigma`
            not positive.
    """

    def __init__(
        self,
        *,
        kind="ronneberger",
        boundary_weight=None,
        sigma=5.0,
        class_weights=None,
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="boundary_cross_entropy",
        dtype=None,
    ):
        super().__init__(
            class_weights=class_weights,
            batch=batch,
            from_logits=from_logits,
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        if kind not in KINDS:
            raise ValueError(
                f"Argument `kind` must be one of {KINDS}. Received: "
                f"kind={kind!r}."
            )
        if boundary_weight is not None and not boundary_weight >= 0:
            raise ValueError(
                "Argument `boundary_weight` must not be negative. "
                f"Received: boundary_weight={boundary_weight}."
            )
        if not sigma > 0:
            raise ValueError(
                f"Argument `sigma` must be positive. Received: sigma={sigma}."
            )
        self.kind = kind
        self.boundary_weight = boundary_weight
        self.sigma = sigma

    def weights(self, targets):
        boundary = self.boundary_map(targets)
        return super().weights(targets) + targets.true * boundary[..., None]

    def boundary_map(self, targets):
        """The term of w(x) beside the class weight, `(batch, *spatial)`."""
        seen = ops.cast(targets.weight > 0, "float32")[..., None]
        true = targets.true * seen
        if self.kind == "gradient":
            return self._scale() * _has_other_neighbor(true)
        if true.shape[-1] < 3:
            return ops.zeros_like(targets.weight)
        nearest, second = _two_distances(true[..., 1:], 3 * self.sigma)
        squared = ops.square(nearest + second)
        term = ops.exp(-squared / (2 * self.sigma**2))
        # A structure out of sight is as far as one that is not there.
        return self._scale() * ops.where(second < 3 * self.sigma, term, 0.0)

    def _scale(self):
        if self.boundary_weight is not None:
            return self.boundary_weight
        if self.kind == "ronneberger":
            return 10.0
        return 2.0 * max(self.class_weights or (1.0,))

    def get_config(self):
        config = super().get_config()
        config["kind"] = self.kind
        config["boundary_weight"] = self.boundary_weight
        config["sigma"] = self.sigma
        return config


def _two_distances(structures, reach):
    """Distances to the nearest and the second nearest structure.

    Args:
        structures: 1 inside of each, `(batch, *spatial, structures)`.
        reach: Distance along each axis up to which structures are seen.

    Returns:
        Two arrays of shape `(batch, *spatial)`.
    """
    squared = ops.where(structures > 0, 0.0, _FAR)
    for axis in range(1, len(squared.shape) - 1):
        squared = _distances_along(squared, axis, reach)
    nearest = ops.min(squared, axis=-1)
    count = squared.shape[-1]
    which = ops.one_hot(ops.argmin(squared, axis=-1), count, dtype="float32")
    second = ops.min(squared + _FAR * which, axis=-1)
    return ops.sqrt(nearest), ops.sqrt(second)


def _distances_along(squared, axis, reach):
    """Adds the distance along one axis: min over n of value(x + n) + n^2."""
    steps, size = math.floor(reach), squared.shape[axis]
    if size is not None:
        steps = min(steps, size - 1)
    if steps == 0:
        return squared
    width = [(0, 0)] * len(squared.shape)
    width[axis] = (steps, steps)
    padded = ops.pad(squared, width, constant_values=_FAR)
    result = squared
    for step in range(1, steps + 1):
        for start in (steps - step, steps + step):
            moved = _cut(padded, axis, start, start - 2 * steps)
            result = ops.minimum(result, moved + float(step**2))
    return result


def _has_other_neighbor(true):
    """1 where a face neighbor is of another class, `(batch, *spatial)`."""
    found = ops.zeros_like(true[..., 0])
    for axis in range(1, len(true.shape) - 1):
        first, second = _cut(true, axis, 0, -1), _cut(true, axis, 1, 0)
        # An ignored voxel is of no class.
        both = ops.sum(first, axis=-1) * ops.sum(second, axis=-1)
        differ = both - ops.sum(first * second, axis=-1)
        for width in ((0, 1), (1, 0)):
            widths = [(0, 0)] * len(found.shape)
            widths[axis] = width
            found = ops.maximum(found, ops.pad(differ, widths))
    return ops.cast(found > 0.5, "float32")


def _cut(values, axis, start, stop):
    """`values[start:stop]` along an axis; a stop of 0 is its end."""
    index = [slice(None)] * len(values.shape)
    index[axis] = slice(start, stop or None)
    return values[tuple(index)]
