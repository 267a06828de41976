"""Focal loss.

Reference: Lin et al., Focal loss for dense object detection, 2017, equation 5,
with softmax over the classes instead of one sigmoid each.
"""

import keras
from keras import ops

from keras_isample.losses.base import SegmentationLoss
from keras_isample.losses.base import check_class_weights
from keras_isample.losses.base import weighted_mean
from keras_isample.losses.base import weights_of_classes
from keras_isample.losses.labels import log_probabilities

_SMALLEST = 1e-7
"""Of 1 - p: keeps the slope of a power below 1 finite at p = 1."""


@keras.saving.register_keras_serializable(package="keras_isample")
class Focal(SegmentationLoss):
    """Mean of `-w (1 - p)^gamma log p` over the voxels of each example.

    p is the probability of the voxel's true class and w the weight of that
    class (alpha in the paper). Other than in `CrossEntropy` the sum is divided
    by the number of voxels, not by their class weights, as in the paper and
    in MONAI. With `gamma=0` and without weights it is cross-entropy.

    Ignored voxels, merged classes and weights of voxels are treated as in
    `CrossEntropy`; an example without weight has loss 0.

    Args:
        gamma: Focusing parameter, at least 0.
        class_weights: Alpha of each class, background first; `None` for 1.
        batch: Whether voxels are counted over the whole batch.
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
        ValueError: If `gamma` is negative.
    """

    def __init__(
        self,
        gamma=2.0,
        *,
        class_weights=None,
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="focal",
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
        if not gamma >= 0:
            raise ValueError(
                "Argument `gamma` must not be negative; 0 is cross-entropy. "
                f"Received: gamma={gamma}."
            )
        self.gamma = gamma
        self.class_weights = check_class_weights(class_weights)
        self.batch = batch

    def call(self, y_true, y_pred, voxel_weight=None):
        targets = self.targets(y_true, y_pred, voxel_weight)
        log_p = log_probabilities(y_pred, targets, self.from_logits)
        wrong = ops.maximum(1.0 - ops.exp(log_p), _SMALLEST)
        class_weights = weights_of_classes(
            self.class_weights, targets.true.shape[-1]
        )
        true = targets.true * targets.weight[..., None]
        errors = true * class_weights * ops.power(wrong, self.gamma) * log_p
        return weighted_mean(
            -ops.sum(errors, axis=-1), ops.sum(true, axis=-1), self.batch
        )

    def get_config(self):
        config = super().get_config()
        config["gamma"] = self.gamma
        config["class_weights"] = self.class_weights
        config["batch"] = self.batch
        return config
