"""The data term of the loss, without the L2 penalty."""

import keras


@keras.saving.register_keras_serializable(package="keras_isample")
class MeanLoss(keras.metrics.Mean):
    """Mean of a loss over the examples of an epoch.

    Keras' own `"loss"` has the L2 penalty in it, and a loss that is called as
    a metric under a distribution strategy is divided by the number of
    replicas.

    Args:
        loss: A `keras.losses.Loss`.
        name: Name of the metric.

    Call arguments:
        y_true: As of the loss.
        y_pred: As of the loss.
        sample_weight: As of `keras.metrics.Mean`.
    """

    def __init__(self, loss, name="data_loss", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.loss = loss

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = self.loss.call(y_true, y_pred)
        return super().update_state(values, sample_weight=sample_weight)

    def get_config(self):
        config = super().get_config()
        config["loss"] = keras.saving.serialize_keras_object(self.loss)
        return config

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})
