"""Models with further outputs that only training looks at."""

import keras

from keras_isample.models.segmentation_model import SegmentationModel


@keras.saving.register_keras_serializable(package="keras_isample")
class DeeplySupervisedModel(SegmentationModel):
    """A `SegmentationModel` whose outputs all learn the same labels.

    Its first output is the prediction; the others are made from deeper maps
    and give these a loss of their own (Lee et al., 2015). It trains with the
    data and the arguments of a model of one output: labels and weights are
    given once and count for every output, `compile(loss=...)` takes one loss
    for all of them, and metrics see the first output alone. The loss is the
    sum over the outputs; `compile(loss_weights=[...])` together with a list
    of as many losses weighs them. What is in `keras_isample.inference` uses the
    first output; `predict` of Keras returns the list of all.
    """

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        return super().compute_loss(
            x=x,
            y=_for_each(y, y_pred),
            y_pred=y_pred,
            sample_weight=_for_each(sample_weight, y_pred),
            training=training,
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(
            x, _first(y), _first(y_pred), _first(sample_weight)
        )


def _for_each(value, outputs):
    if value is None or isinstance(value, list | tuple):
        return value
    return [value] * len(outputs)


def _first(value):
    return value[0] if isinstance(value, list | tuple) else value
