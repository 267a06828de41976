"""How the U-Nets and DeepLab begin and end: checks, classes, metadata."""

from keras import layers

from keras_isample.models.same_convolution import ACTIVATIONS
from keras_isample.models.sides import crop_sides


def check_arguments(
    num_classes,
    input_shape,
    width,
    classifier_activation,
    activation="relu",
    dimensions=(2, 3),
):
    """Checks what all networks of one image have in common.

    Raises:
        ValueError: If `num_classes` is below 2, `width` is not positive,
            `input_shape` has not the axes of one of `dimensions`, or an
            activation is unknown.
    """
    if num_classes < 2:
        raise ValueError(
            "Argument `num_classes` counts the background and must be at "
            f"least 2. Received: num_classes={num_classes}."
        )
    check_input_shape(input_shape, dimensions)
    if width <= 0:
        raise ValueError(
            f"Argument `width` must be positive. Received: width={width}."
        )
    if classifier_activation not in ("softmax", None):
        raise ValueError(
            'Argument `classifier_activation` must be "softmax" or None. '
            f"Received: {classifier_activation!r}."
        )
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"Argument `activation` must be one of {ACTIVATIONS}. "
            f"Received: activation={activation!r}."
        )


def check_input_shape(input_shape, dimensions=(2, 3)):
    """Checks the sides (which may be `None`) and the number of channels."""
    shape = tuple(input_shape)
    if (
        len(shape) - 1 not in dimensions
        or shape[-1] is None
        or any(n is not None and n < 1 for n in shape)
    ):
        forms = {2: "(H, W, channels)", 3: "(X, Y, Z, channels)"}
        expected = " or ".join(forms[ndim] for ndim in dimensions)
        raise ValueError(
            f"Argument `input_shape` must be {expected}, where a side may be "
            f"None but not the channels. Received: input_shape={input_shape}."
        )


def classes(x, image, *, classifier_activation, suffix=""):
    """Probabilities (or logits) of the image's size, in float32.

    Args:
        x: Keras tensor of logits, shape `(batch, *spatial, num_classes)`, at
            least as large as the image.
        image: The network's input.
        classifier_activation: `"softmax"` or `None`.
        suffix: Put after the names of the layers.

    Returns:
        Keras tensor with the spatial axes of `image`.
    """
    x = crop_sides(x, image, name=f"crop_sides{suffix}")
    if classifier_activation is None:
        name = f"logits{suffix}"
        return layers.Activation("linear", dtype="float32", name=name)(x)
    return layers.Softmax(dtype="float32", name=f"probabilities{suffix}")(x)


def facts(network, num_classes, input_shape, width, multiple, halo=None):
    """The metadata of a network of one image.

    `multiple` and `halo` are those of its `Geometry`.
    """
    return {
        "network": network,
        "num_classes": num_classes,
        "num_channels": input_shape[-1],
        "width": width,
        "ndim": len(input_shape) - 1,
        "multiple": multiple,
        "halo": halo,
    }
