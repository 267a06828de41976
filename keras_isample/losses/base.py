"""What all losses share: arguments, sample weights, reduction."""

import keras
import numpy as np
from keras import ops

from keras_isample.losses.labels import check_merged_classes
from keras_isample.losses.labels import make_targets


class PerExampleLoss(keras.losses.Loss):
    """A loss with one value per example that takes weights of voxels too.

    `sample_weight` of shape `(batch,)` or `(batch, 1)` multiplies the values
    of the examples, as in Keras. Of shape `(batch, *spatial)` or `(batch,
    *spatial, 1)` it says how often each voxel counts: 0 is the same as
    ignored, and a constant changes nothing.

    Labels are not cast to the loss's `dtype`, which would change classes
    beyond 256 in half precision; subclasses compute in float32, and `dtype`
    is the type of the result.

    Subclasses implement `call(y_true, y_pred, voxel_weight=None)`.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true)
        y_pred = ops.convert_to_tensor(y_pred)
        voxel_weight = None
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            if _is_of_voxels(sample_weight.shape, y_pred.shape):
                sample_weight, voxel_weight = None, sample_weight
            elif len(sample_weight.shape) > 1:
                sample_weight = ops.reshape(sample_weight, (-1,))
        with keras.name_scope(self.name):
            values = self.call(y_true, y_pred, voxel_weight)
        reduce = _Reduction(self.name, self.reduction, self.dtype)
        return reduce(values, values, sample_weight)

    def call(self, y_true, y_pred, voxel_weight=None):
        raise NotImplementedError


class SegmentationLoss(PerExampleLoss):
    """Arguments that every loss of labels has.

    Predictions in half precision are taken, but a softmax in half precision
    passes no gradient on where it is exactly 0 or 1, however wrong: give the
    last layer `dtype="float32"`, as the networks of this package have.

    Labels are not checked: they are taken modulo 256, and one that is then no
    class has no weight, like `ignore_label`.

    Args:
        from_logits: Whether `y_pred` holds logits, not probabilities.
        ignore_label: Integer label of voxels without weight, or `None`.
        merged_classes: For partially annotated cases, a tuple of classes for
            each annotation set; see `keras_isample.losses.labels`. An
            example of a set that is not listed is taken as fully annotated.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.
        dtype: Type of the result; the computation is in float32.
    """

    def __init__(
        self,
        *,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name=None,
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if ignore_label is not None and not -256 <= ignore_label <= 255:
            raise ValueError(
                "Argument `ignore_label` must lie in [-256, 255], or be None. "
                f"Received: ignore_label={ignore_label}."
            )
        self.from_logits = from_logits
        self.ignore_label = ignore_label
        self.merged_classes = check_merged_classes(merged_classes)

    def targets(self, y_true, y_pred, voxel_weight=None):
        """The `Targets` of a batch."""
        return make_targets(
            y_true,
            y_pred,
            ignore_label=self.ignore_label,
            merged_classes=self.merged_classes,
            voxel_weight=voxel_weight,
        )

    def get_config(self):
        config = super().get_config()
        config["from_logits"] = self.from_logits
        config["ignore_label"] = self.ignore_label
        config["merged_classes"] = [list(each) for each in self.merged_classes]
        return config


def check_class_weights(class_weights, argument="class_weights"):
    """Class weights as a tuple of floats, or `None`.

    Raises:
        ValueError: If one is negative or not finite, or all are 0.
    """
    if class_weights is None:
        return None
    weights = np.asarray(class_weights, float)
    usable = weights.ndim == 1 and weights.size and np.isfinite(weights).all()
    if not usable or weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            f"Argument `{argument}` must be one float per class, background "
            "first, none negative and not all 0. "
            f"Received: {argument}={class_weights}."
        )
    return tuple(weights.tolist())


def weights_of_classes(class_weights, num_classes):
    """Class weights as a float32 tensor; ones for `None`.

    Raises:
        ValueError: If there is not one for each class.
    """
    if class_weights is None:
        return ops.ones(num_classes, "float32")
    if len(class_weights) != num_classes:
        raise ValueError(
            f"{len(class_weights)} class weights were given for predictions "
            f"of {num_classes} classes. Give one for each, background first."
        )
    return ops.convert_to_tensor(class_weights, "float32")


def weighted_mean(totals, weights, batch):
    """Sum of each example's voxels divided by the sum of their weights.

    Args:
        totals: Value times weight of each voxel, `(batch, *spatial)`.
        weights: Same shape.
        batch: Whether the sum of weights is that of the mean example, so that
            the mean of the values is the weighted mean over the batch.

    Returns:
        Shape `(batch,)`; 0 for an example without weight.
    """
    axes = tuple(range(1, len(totals.shape)))
    totals = ops.sum(totals, axis=axes)
    weights = ops.sum(weights, axis=axes)
    if batch:
        weights = ops.mean(weights)
    return ops.divide_no_nan(totals, weights)


class _Reduction(keras.losses.Loss):
    """Weighs and reduces values that have been computed, as Keras does."""

    def call(self, y_true, y_pred):
        return y_pred


def _is_of_voxels(shape, predicted):
    rank = len(predicted)
    if len(shape) > 1 and all(side == 1 for side in shape[1:]):
        # One weight an example, with axes to broadcast along.
        return False
    if len(shape) == rank:
        return True
    # Labels of one spatial axis: (batch, 1) holds weights of examples.
    several = len(shape) > 2 or (len(shape) == 2 and shape[-1] != 1)
    return len(shape) == rank - 1 and several
