"""A functional Keras model that knows what its inputs and classes mean."""

import keras

from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.geometry import DEFAULT_AXIS
from keras_isample.models.geometry import PlainGeometry
from keras_isample.models.geometry import SliceGeometry
from keras_isample.models.loading import register_classes


@keras.saving.register_keras_serializable(package="keras_isample")
class SegmentationModel(keras.Model):
    """A functional `keras.Model` that carries a dictionary of facts.

    A file that holds only layers cannot segment a scan: the spacing, the
    intensity window and the names of the classes are needed too. They are
    kept in `metadata`, saved with the model in its `.keras` file.

    Attributes:
        metadata: JSON-compatible dictionary. `num_classes`, `num_channels` and
            what belongs to its geometry are set by the function that builds
            the model; `preprocessing` is set by training.
    """

    metadata = None

    @property
    def geometry(self):
        """What the network sees and gives, a `Geometry`.

        Raises:
            ValueError: If `metadata` does not say it.
        """
        return geometry_from(self.metadata or {})

    def get_config(self):
        config = super().get_config()
        config["metadata"] = dict(self.metadata or {})
        return config

    def compile_from_config(self, config):
        # So that `keras.models.load_model` needs no more than the models.
        register_classes()
        super().compile_from_config(config)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        metadata = config.pop("metadata", {})
        model = super().from_config(config, custom_objects=custom_objects)
        model.metadata = dict(metadata)
        return model


def geometry_of(model):
    """The geometry that a model carries.

    Args:
        model: A Keras model.

    Returns:
        A `Geometry`.

    Raises:
        ValueError: If it carries none.
    """
    if isinstance(model, SegmentationModel):
        return model.geometry
    raise ValueError(
        "Argument `model` must carry a geometry: be built by "
        "`keras_isample.models`, or given one by "
        f"`keras_isample.models.with_geometry`. Received: {model!r}."
    )


def geometry_from(metadata):
    """The geometry that the metadata of a model describe.

    Args:
        metadata: As of `SegmentationModel`.

    Returns:
        A `Geometry`.

    Raises:
        ValueError: If they describe none.
    """
    if "context_width" in metadata:
        return DualPathGeometry(context_width=metadata["context_width"])
    ndim, multiple = metadata.get("ndim"), metadata.get("multiple", 1)
    size = metadata.get("patch_size")
    given = {} if size is None else {"patch_size": _as_size(size)}
    if ndim == 2:
        axis = metadata.get("axis", DEFAULT_AXIS)
        windows = metadata.get("windows", False)
        return SliceGeometry(
            axis=axis, multiple=multiple, windows=windows, **given
        )
    if ndim == 3:
        halo = metadata.get("halo", _older_halo(metadata))
        return PlainGeometry(halo=halo, multiple=multiple, **given)
    raise ValueError(
        "The metadata of a model must have `ndim` 2 or 3, or `context_width`. "
        f"Received: {metadata}."
    )


def _older_halo(metadata):
    """Halo of a network in a file from before files stated it."""
    factor = {"unet": 7, "unet3plus": 8}.get(metadata.get("network"))
    return factor and factor * metadata["multiple"] - 5


def _as_size(size):
    return size if isinstance(size, int) else tuple(size)
