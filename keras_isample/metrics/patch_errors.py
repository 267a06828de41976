"""What the network got wrong in the newest batch, voxel by voxel."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_isample")
class PatchErrors(keras.metrics.Metric):
    """Keeps 1 - p(true class) of every voxel of the newest batch.

    Its result is their mean over the batch. A label that is no class, as
    outside of the scan, counts as error 1.

    Args:
        batch_shape: Of the labels, `(batch, *spatial)`; all batches have it.
        name: Name of the metric.

    Attributes:
        errors: Variable of that shape.

    Call arguments:
        y_true: Integer classes, shape `batch_shape`.
        y_pred: Probabilities, shape `(*batch_shape, num_classes)`.
    """

    def __init__(self, batch_shape, name="patch_error", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.batch_shape = tuple(batch_shape)
        self.errors = self.add_variable(
            shape=self.batch_shape, initializer="zeros", name="errors"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels = ops.cast(y_true, "int32")
        one_hot = ops.one_hot(labels, y_pred.shape[-1], dtype="float32")
        true = ops.sum(one_hot * ops.cast(y_pred, "float32"), axis=-1)
        self.errors.assign(ops.reshape(1.0 - true, self.batch_shape))

    def result(self):
        return ops.mean(self.errors)

    def get_config(self):
        return {**super().get_config(), "batch_shape": self.batch_shape}
