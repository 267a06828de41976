"""Losses from elsewhere, made ready for the labels of this package."""

import keras
from keras import ops

from keras_isample.losses.base import PerExampleLoss
from keras_isample.losses.base import SegmentationLoss
from keras_isample.losses.base import weighted_mean
from keras_isample.losses.labels import fold
from keras_isample.losses.labels import probabilities

_SMALLEST = 1e-30
"""Least probability that a loss is shown: it may take the logarithm of it."""


@keras.saving.register_keras_serializable(package="keras_isample")
class AdaptedLoss(SegmentationLoss):
    """Any Keras loss, on labels with ignored voxels and merged classes.

    The loss is given one-hot labels, or integers if its class's name begins
    with `Sparse`, and probabilities, both float32. Where it has a value for
    each voxel (`(batch, *spatial)`), the voxels of an example are averaged
    with their weights, so that ignored ones do not count; axes after the
    spatial ones are averaged before. Where it has fewer values, ignored voxels
    are shown to it as background that is predicted rightly, and weights of
    voxels are refused. In partially annotated examples merged classes are part
    of the background, labels and probabilities alike.

    Args:
        loss: A `keras.losses.Loss` of probabilities, or what
            `keras.losses.get` accepts. Its reduction is not used.
        one_hot: Whether it is given one-hot labels; `None` to go by its name.
        ignore_label, merged_classes, reduction, name, dtype: As of
            `CrossEntropy`.

    Call arguments:
        As of `CrossEntropy`.

    Raises:
        ValueError: If it is no loss, or one of logits; when it is called, if it
            has no value for each voxel, and voxels have weights.

    Example:
    >>> loss = AdaptedLoss(keras.losses.Tversky(alpha=0.3, beta=0.7))
    """

    def __init__(
        self,
        loss,
        *,
        one_hot=None,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name=None,
        dtype=None,
    ):
        given, loss = loss, keras.losses.get(loss)
        if loss is None:
            raise ValueError(
                "Argument `loss` must be a Keras loss, or what "
                f"`keras.losses.get` accepts. Received: loss={given!r}."
            )
        is_object = isinstance(loss, keras.losses.Loss)
        if is_object and _config_of(loss).get("from_logits"):
            raise ValueError(
                "Argument `loss` must be a loss of probabilities. Received: "
                f"{loss!r} with from_logits=True."
            )
        kind = getattr(loss, "__name__", type(loss).__name__)
        super().__init__(
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name or (loss.name if is_object else kind),
            dtype=dtype,
        )
        self.loss = loss
        if one_hot is None:
            one_hot = not kind.lower().startswith("sparse")
        self.one_hot = one_hot

    def call(self, y_true, y_pred, voxel_weight=None):
        targets = self.targets(y_true, y_pred, voxel_weight)
        count = targets.true.shape[-1]
        background = ops.cast(ops.arange(count) == 0, "float32")
        counts = (targets.weight > 0)[..., None]
        p = fold(probabilities(y_pred, from_logits=False), targets)
        p = ops.maximum(ops.where(counts, p, background), _SMALLEST)
        true = ops.where(counts, fold(targets.true, targets), background)
        if not self.one_hot:
            true = ops.argmax(true, axis=-1)
        compute = getattr(self.loss, "call", self.loss)
        values = ops.cast(compute(true, p), "float32")
        rank = len(targets.weight.shape)
        if len(values.shape) > rank:
            further = tuple(range(rank, len(values.shape)))
            values = ops.mean(values, axis=further)
        if len(values.shape) == rank:
            weight = targets.weight
            return weighted_mean(values * weight, weight, batch=False)
        if voxel_weight is not None:
            raise ValueError(
                "Argument `sample_weight` must have one weight for each "
                f"example: {self.loss!r} has no value for each voxel. "
                f"Received: weights of shape {tuple(voxel_weight.shape)}."
            )
        if len(values.shape) > 1:
            values = ops.mean(values, axis=tuple(range(1, len(values.shape))))
        return ops.broadcast_to(values, ops.shape(y_pred)[:1])

    def get_config(self):
        config = super().get_config()
        # The network gives probabilities.
        config.pop("from_logits")
        config["loss"] = keras.saving.serialize_keras_object(self.loss)
        config["one_hot"] = self.one_hot
        return config

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _config_of(loss):
    try:
        return loss.get_config()
    except NotImplementedError:
        return {}


def adapted(loss, merged_classes=(), ignore_label=255):
    """A loss of this package as it is, any other one as `AdaptedLoss`.

    Args:
        loss: A Keras loss, or what `keras.losses.get` accepts.
        merged_classes: A tuple of classes for each annotation set, for a loss
            from elsewhere.
        ignore_label: Label of voxels without weight, for such a loss.
    """
    if isinstance(loss, PerExampleLoss):
        return loss
    return AdaptedLoss(
        loss, merged_classes=merged_classes, ignore_label=ignore_label
    )
