"""What the network got wrong in the newest batch, voxel by voxel."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_isample")
class PatchErrors(keras.metrics.Metric):
    """Keeps 1 - p(true class) of every voxel of the newest batch.

    Its result is their mean over the batch. A label that is no class, as
    outside of the scan, counts as error 1.

    Args:
        batch_shape: Of the labels, `(batch, *spatial)`; all batches have it.
        merged_classes: `ISample.merged_classes`: sets of classes that count
            as one with the background. If there are any, labels are coded
            `label + 256 * s`: p(true class) of the background is then the sum
            over it and `merged_classes[s - 1]`; `s = 0` merges nothing.
        name: Name of the metric.

    Attributes:
        errors: Variable of that shape.

    Call arguments:
        y_true: Integer classes, shape `batch_shape`.
        y_pred: Probabilities, shape `(*batch_shape, num_classes)`.
    """

    def __init__(
        self,
        batch_shape,
        *,
        merged_classes=(),
        name="patch_error",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.batch_shape = tuple(batch_shape)
        self.merged_classes = tuple(map(tuple, merged_classes))
        self.errors = self.add_variable(
            shape=self.batch_shape, initializer="zeros", name="errors"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        members = self._members(ops.cast(y_true, "int32"), y_pred.shape[-1])
        true = ops.sum(members * ops.cast(y_pred, "float32"), axis=-1)
        self.errors.assign(ops.reshape(1.0 - true, self.batch_shape))

    def _members(self, y_true, num_classes):
        """1 for each class that is right at a voxel, otherwise 0."""
        if not self.merged_classes:
            return ops.one_hot(y_true, num_classes, dtype="float32")
        labels, row = y_true % 256, y_true // 256
        right = ops.one_hot(labels, num_classes, dtype="float32")
        others = np.zeros((1 + len(self.merged_classes), num_classes))
        for number, merged in enumerate(self.merged_classes, start=1):
            others[number, list(merged)] = 1
        others = ops.convert_to_tensor(others, "float32")
        background = ops.cast(ops.equal(labels, 0), "float32")
        return right + background[..., None] * ops.take(others, row, axis=0)

    def result(self):
        return ops.mean(self.errors)

    def get_config(self):
        return {
            **super().get_config(),
            "batch_shape": self.batch_shape,
            "merged_classes": self.merged_classes,
        }
