"""Cross-entropy, plain (the loss of the isample papers) and weighted.

Keras' own cross-entropies clip p at 1e-7, where a voxel that is badly wrong
loses its gradient, and know neither ignored voxels nor merged classes.
"""

import keras
from keras import ops

from keras_isample.losses.base import SegmentationLoss
from keras_isample.losses.base import check_class_weights
from keras_isample.losses.base import weighted_mean
from keras_isample.losses.base import weights_of_classes
from keras_isample.losses.labels import log_probabilities


@keras.saving.register_keras_serializable(package="keras_isample")
class CrossEntropy(SegmentationLoss):
    """Mean of `-log p(true class)` over the voxels of each example.

    With class weights, `sum_x w(x) (-log p(x)) / sum_x w(x)`, where w(x) is
    the weight of the voxel's true class: torch's weighted mean, but of each
    example by itself. Within an example that has one class only the weights
    cancel; with `batch=True` the sum of weights is that of the whole batch,
    and the mean over the batch is exactly torch's.

    Voxels with the label `ignore_label` have weight 0: they count neither in
    the sum nor in the number of voxels. An example without any other voxel
    has loss 0. Computed in float32 whatever the type of the predictions.

    In a partially annotated example (see `keras_isample.losses.labels`) the
    loss of a background voxel is `-log(p_0 + sum of p of merged classes)`.

    Args:
        class_weights: One float per class, background first; `None` weighs
            all classes alike.
        batch: Whether sums of weights are taken over the whole batch (that of
            one replica, under a distribution strategy).
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

    Example:
    >>> loss = CrossEntropy()
    >>> float(loss([[0, 1]], [[[0.5, 0.5], [0.5, 0.5]]]))
    0.6931471824645996
    """

    def __init__(
        self,
        *,
        class_weights=None,
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="cross_entropy",
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
        self.class_weights = check_class_weights(class_weights)
        self.batch = batch

    def call(self, y_true, y_pred, voxel_weight=None):
        targets = self.targets(y_true, y_pred, voxel_weight)
        log_p = log_probabilities(y_pred, targets, self.from_logits)
        weights = self.weights(targets) * targets.weight[..., None]
        return weighted_mean(
            -ops.sum(weights * log_p, axis=-1),
            ops.sum(weights, axis=-1),
            self.batch,
        )

    def weights(self, targets):
        """Weight of each class at each voxel, shape of the predictions."""
        return targets.true * weights_of_classes(
            self.class_weights, targets.true.shape[-1]
        )

    def get_config(self):
        config = super().get_config()
        config["class_weights"] = self.class_weights
        config["batch"] = self.batch
        return config
