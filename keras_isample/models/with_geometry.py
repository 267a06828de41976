"""Networks from elsewhere, made ready for sampling and whole-scan inference."""

import keras
from keras import layers

from keras_isample.models.geometry import Geometry
from keras_isample.models.geometry import PlainGeometry
from keras_isample.models.geometry import SliceGeometry
from keras_isample.models.segmentation_model import SegmentationModel


def with_geometry(model, geometry, *, from_logits=False, name=None):
    """A network that carries a geometry, made of any Keras model.

    The result shares layers and weights with `model`. It trains with patches of
    `ISample(cohort, geometry=geometry)`, predicts whole scans with
    `predict_volume`, is measured by the callbacks and keeps its geometry in its
    `.keras` file. Layers that Keras does not know must be registered with
    `keras.saving.register_keras_serializable` to be loaded again.

    Scans are predicted in tiles, equal to one pass, if the geometry has a
    `halo`; `measure_receptive_field` says how far a network of convolutions
    looks. State a halo only if nothing looks further: instance and group
    normalization and attention look at the whole patch. Without a halo, scans
    are predicted in windows of the patch size that overlap by half.

    Args:
        model: A `keras.Model` of one input `(batch, *spatial, channels)` and
            one output `(batch, *spatial, num_classes)` of equal sides.
        geometry: A `PlainGeometry` for volumes or a `SliceGeometry` for
            slices, with the patch size to train with.
        from_logits: Whether the model gives logits; a softmax is then added.
        name: Name of the result; that of `model` if `None`.

    Returns:
        A `SegmentationModel` from `(batch, *spatial, channels)` to
        `(batch, *spatial, num_classes)` of probabilities.

    Raises:
        ValueError: If the model has several inputs or outputs, its dimensions
            are not those of the geometry, or its output has other sides than
            its input.

    Example:
    >>> image = keras.Input((None, None, None, 1))
    >>> logits = keras.layers.Conv3D(3, 3, padding="same")(image)
    >>> model = with_geometry(
    ...     keras.Model(image, logits),
    ...     PlainGeometry(16, halo=1),
    ...     from_logits=True,
    ... )
    """
    if not isinstance(geometry, PlainGeometry | SliceGeometry):
        raise ValueError(
            "Argument `geometry` must be a PlainGeometry or a SliceGeometry. "
            f"Received: {geometry!r}."
        )
    image, output = _ends(model, geometry)
    if from_logits:
        softmax = layers.Softmax(dtype="float32", name="probabilities")
        output = softmax(output)
    result = SegmentationModel(image, output, name=name or model.name)
    result.metadata = {
        "network": model.name,
        "num_classes": output.shape[-1],
        "num_channels": image.shape[-1],
        "ndim": len(image.shape) - 2,
        "multiple": geometry.multiple,
        "halo": geometry.halo,
        "patch_size": geometry.patch_size,
        "probabilities": True,
    }
    if geometry.axis is not None:
        result.metadata["axis"] = geometry.axis
        result.metadata["windows"] = None not in image.shape[1:-1]
    return result


def _ends(model, geometry: Geometry):
    """Input and output of a model, checked against a geometry."""
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    if not inputs:
        raise ValueError(
            "Argument `model` must be built: call it on a `keras.Input` first. "
            f"Received: {model!r}."
        )
    outputs = keras.tree.flatten(model.outputs)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            "Argument `model` must have one input and one output. Received: "
            f"{len(inputs)} inputs and {len(outputs)} outputs."
        )
    (image,), (output,) = inputs, outputs
    (shape,) = geometry.input_shapes(image.shape[-1])
    if len(image.shape) != len(shape):
        raise ValueError(
            f"Argument `geometry` has {len(shape) - 2} dimensions, the model "
            f"{len(image.shape) - 2}. Received: {geometry!r}."
        )
    sides = [
        given if known is None else known
        for given, known in zip(shape, image.shape, strict=True)
    ]
    seen = model.compute_output_spec(keras.KerasTensor(tuple(sides)))
    (seen,) = keras.tree.flatten(seen)
    if tuple(seen.shape[1:-1]) != tuple(sides[1:-1]):
        raise ValueError(
            "Argument `model` must give as many voxels as it takes. Received: "
            f"{tuple(seen.shape[1:-1])} for {tuple(sides[1:-1])}."
        )
    return image, output
