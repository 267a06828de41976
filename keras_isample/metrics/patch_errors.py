"""What the network got wrong in the newest batch, voxel by voxel."""

import keras
from keras import ops

from keras_isample.losses.labels import label_errors


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
        errors = label_errors(y_true, y_pred, self.merged_classes)
        self.errors.assign(ops.reshape(errors, self.batch_shape))

    def result(self):
        return ops.mean(self.errors)

    def get_config(self):
        return {
            **super().get_config(),
            "batch_shape": self.batch_shape,
            "merged_classes": self.merged_classes,
        }
