"""Soft Dice, plain and weighted.

The papers on loss scheduling give no formula and do not say what an absent
class costs. `keras.losses.Dice` charges 1 for it.
"""

import keras
from keras import ops

from keras_isample.losses.base import SegmentationLoss
from keras_isample.losses.base import check_class_weights
from keras_isample.losses.base import weights_of_classes
from keras_isample.losses.labels import fold
from keras_isample.losses.labels import probabilities

ABSENT = ("skip", "smooth")


@keras.saving.register_keras_serializable(package="keras_isample")
class Dice(SegmentationLoss):
    """1 - weighted mean of the soft Dice of each class.

    `1 - sum_k w_k dice_k / sum_k w_k` with
    `dice_k = (2 sum_x p t + epsilon) / (sum_x p + sum_x t + epsilon)`,
    for each example by itself, or with sums over the whole batch.

    A class that is true nowhere in the example (or batch) is left out of both
    sums over k by default: what is wrongly predicted as it is missing from
    the Dice of the others, background included, and costs there. With
    `absent="smooth"` it counts by the same formula, so `dice_k` is 1 where
    nothing is predicted and falls to 0 within a few times epsilon voxels;
    that pulls hard on small patches, where most classes are absent. If no
    class is left, the loss is 0.

    Each voxel counts `sample_weight` times in the three sums, ignored voxels
    not at all. In a partially annotated example (see
    `keras_isample.losses.labels`) the merged classes are absent and part of
    the background.

    Args:
        class_weights: One float per class, background first; `None` weighs
            all classes alike.
        include_background: Whether background is one of the classes. Without
            it, `absent="skip"` lets false positives cost nothing in examples
            of background only.
        epsilon: Smoothing term, in voxels.
        absent: `"skip"` or `"smooth"`.
        batch: Whether the sums are over the whole batch (that of one replica,
            under a distribution strategy); all examples then have the same
            value.
        from_logits: Whether `y_pred` holds logits, not probabilities.
        ignore_label: Label of voxels without weight, or `None`.
        merged_classes: A tuple of classes for each annotation set.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.
        dtype: Type of the result; the computation is in float32.

    Call arguments:
        y_true: Integer classes, shape `(batch, *spatial)`; or one-hot, shape
            of `y_pred`.
        y_pred: Probabilities or logits, shape
            `(batch, *spatial, num_classes)`.
        sample_weight: Of examples, `(batch,)`, or voxels, `(batch, *spatial)`.

    Raises:
        ValueError: If `epsilon` is not positive or `absent` is unknown.

    Example:
    >>> loss = Dice(class_weights=[0.1, 1.0, 1.0])
    """

    def __init__(
        self,
        *,
        class_weights=None,
        include_background=True,
        epsilon=1.0,
        absent="skip",
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="dice",
        dtype=None,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        if not epsilon > 0:
            raise ValueError(
                "Argument `epsilon` must be positive. "
                f"Received: epsilon={epsilon}."
            )
        if absent not in ABSENT:
            raise ValueError(
                f"Argument `absent` must be one of {ABSENT}. "
                f"Received: absent={absent!r}."
            )
        self.class_weights = check_class_weights(class_weights)
        self.include_background = include_background
        self.epsilon = epsilon
        self.absent = absent
        self.batch = batch

    def call(self, y_true, y_pred, voxel_weight=None):
        targets = self.targets(y_true, y_pred, voxel_weight)
        p = fold(probabilities(y_pred, self.from_logits), targets)
        weight = targets.weight[..., None]
        true = fold(targets.true, targets) * weight
        common, predicted, present = (
            self._sum(values) for values in (true * p, p * weight, true)
        )
        dice = (2.0 * common + self.epsilon) / (
            predicted + present + self.epsilon
        )
        weights = self._weights(present)
        values = ops.divide_no_nan(
            ops.sum(weights * (1.0 - dice), axis=-1), ops.sum(weights, axis=-1)
        )
        # One value per example, even where the sums are over all of them.
        return ops.broadcast_to(values, ops.shape(y_pred)[:1])

    def _sum(self, values):
        """Sums over voxels, shape `(batch, num_classes)`, 1 for batch sums."""
        axes = tuple(range(1, len(values.shape) - 1))
        sums = ops.sum(values, axis=axes)
        return ops.sum(sums, axis=0, keepdims=True) if self.batch else sums

    def _weights(self, present):
        num_classes = present.shape[-1]
        weights = weights_of_classes(self.class_weights, num_classes)
        if not self.include_background:
            foreground = ops.cast(ops.arange(num_classes) > 0, "float32")
            weights = weights * foreground
        if self.absent == "smooth":
            return ops.broadcast_to(weights, ops.shape(present))
        return weights * ops.cast(present > 0, "float32")

    def get_config(self):
        config = super().get_config()
        config["class_weights"] = self.class_weights
        config["include_background"] = self.include_background
        config["epsilon"] = self.epsilon
        config["absent"] = self.absent
        config["batch"] = self.batch
        return config
