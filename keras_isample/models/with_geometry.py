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
            or fixed sides are not those of the geometry, its output has other
            sides than its input, or it gives logits and `from_logits` does not
            say so.

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
    if not from_logits and _is_linear(model, output):
        raise ValueError(
            "Argument `model` ends in a layer without an activation. Use "
            "from_logits=True, or end it in a softmax."
        )
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
        # A network of fixed sides sees no slice of another size.
        fixed = any(side is not None for side in image.shape[1:-1])
        result.metadata["windows"] = geometry.windows or fixed
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
    for given, known in zip(shape[1:-1], image.shape[1:-1], strict=True):
        if known not in (None, given):
            raise ValueError(
                "Argument `geometry` must have the fixed sides of the model, "
                f"{tuple(image.shape[1:-1])}. Received: {geometry!r}."
            )
        if given % geometry.multiple:
            raise ValueError(
                f"Argument `geometry` has a patch side of {given}, which is no "
                f"multiple of {geometry.multiple}. Received: {geometry!r}."
            )
    (seen,) = keras.tree.flatten(
        model.compute_output_spec(keras.KerasTensor(shape))
    )
    if tuple(seen.shape[1:-1]) != shape[1:-1]:
        raise ValueError(
            "Argument `model` must give as many voxels as it takes. Received: "
            f"{tuple(seen.shape[1:-1])} for {shape[1:-1]}."
        )
    return image, output


def _is_linear(model, output):
    """Whether the last layer is a convolution without an activation."""
    kinds = (layers.Conv2D, layers.Conv3D, layers.Dense)
    for layer in model.layers:
        if isinstance(layer, kinds) and layer.output is output:
            return layer.activation is keras.activations.linear
    return False
