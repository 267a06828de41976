"""Cross-entropy of integer label maps, the loss of the isample papers."""

import keras
from keras import ops

_SMALLEST = 1e-30
"""Keeps log(p) finite; far below what softmax gives in float32, so that a
voxel that is badly wrong keeps its gradient."""


@keras.saving.register_keras_serializable(package="keras_isample")
class CrossEntropy(keras.losses.Loss):
    """Mean of `-log p(true class)` over the voxels of each example.

    Voxels with the label `ignore_label` have weight 0: they count neither in
    the sum nor in the number of voxels. An example without any other voxel
    has loss 0. Computed in float32 whatever the type of the predictions.

    Args:
        from_logits: Whether `y_pred` holds logits, not probabilities.
        ignore_label: Label of voxels without weight, or `None`.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.

    Call arguments:
        y_true: Integer classes, shape `(batch, *spatial)`.
        y_pred: Probabilities or logits, shape
            `(batch, *spatial, num_classes)`.

    Example:
    >>> loss = CrossEntropy()
    >>> float(loss([[0, 1]], [[[0.5, 0.5], [0.5, 0.5]]]))
    0.6931471824645996
    """

    def __init__(
        self,
        *,
        from_logits=False,
        ignore_label=255,
        reduction="sum_over_batch_size",
        name="cross_entropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits
        self.ignore_label = ignore_label

    def call(self, y_true, y_pred):
        labels = ops.cast(y_true, "int32")
        y_pred = ops.cast(y_pred, "float32")
        if self.ignore_label is None:
            valid = ops.ones(ops.shape(labels), "float32")
        else:
            ignored = ops.equal(labels, self.ignore_label)
            valid = 1.0 - ops.cast(ignored, "float32")
            labels = ops.where(ignored, 0, labels)
        if self.from_logits:
            log_p = ops.log_softmax(y_pred, axis=-1)
        else:
            log_p = ops.log(ops.maximum(y_pred, _SMALLEST))
        true = ops.one_hot(labels, y_pred.shape[-1], dtype="float32")
        errors = -ops.sum(true * log_p, axis=-1) * valid
        axes = tuple(range(1, len(errors.shape)))
        voxels = ops.maximum(ops.sum(valid, axis=axes), 1.0)
        return ops.sum(errors, axis=axes) / voxels

    def get_config(self):
        config = super().get_config()
        config["from_logits"] = self.from_logits
        config["ignore_label"] = self.ignore_label
        return config
