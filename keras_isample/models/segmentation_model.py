"""A functional Keras model that knows what its inputs and classes mean."""

import keras


@keras.saving.register_keras_serializable(package="keras_isample")
class SegmentationModel(keras.Model):
    """A functional `keras.Model` that carries a dictionary of facts.

    A file that holds only layers cannot segment a scan: the spacing, the
    intensity window and the names of the classes are needed too. They are
    kept in `metadata`, saved with the model in its `.keras` file.

    Attributes:
        metadata: JSON-compatible dictionary. `network` and what belongs to its
            geometry are set by the function that builds the model;
            `preprocessing` is set by training.
    """

    metadata = None

    def get_config(self):
        config = super().get_config()
        config["metadata"] = dict(self.metadata or {})
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        metadata = config.pop("metadata", {})
        model = super().from_config(config, custom_objects=custom_objects)
        model.metadata = dict(metadata)
        return model
