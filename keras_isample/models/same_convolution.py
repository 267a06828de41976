"""Convolutions that keep the size, in 2D or 3D, as U-Nets use them."""

from keras import layers
from keras import regularizers

from keras_isample.models.normalization import BatchNormalization
from keras_isample.models.residual import NORMALIZATION_MOMENTUM

LEAKY_SLOPE = 0.01
"""Of a leaky ReLU below 0: torch's default, which the cardiac study used (Keras
has 0.3)."""

ACTIVATIONS = ("leaky_relu", "relu")


def layer_of(kind, ndim):
    """The Keras layer for 2D or 3D maps, `layer_of("Conv", 3)` say."""
    head, transpose, _ = kind.partition("Transpose")
    return getattr(layers, f"{head}{ndim}D{transpose}")


def same_convolution(
    x,
    filters,
    kernel_size=3,
    *,
    l2,
    name,
    normalization=True,
    activation="relu",
    dilation_rate=1,
    epsilon=1e-3,
):
    """Convolution, batch normalization and activation; the size stays.

    Args:
        x: Keras tensor, shape `(batch, *spatial, maps)`.
        filters: Number of output maps.
        kernel_size: Side of the kernel, in voxels.
        l2: Factor of the kernel's L2 penalty, `l2 * sum(w ** 2)`.
        name: Name of the convolution; what follows gets it with `_bn` and
            `_relu`.
        normalization: Whether batch normalization follows; the convolution has
            a bias where it does not, as it would have no effect before it.
        activation: `"leaky_relu"` (slope 0.01), `"relu"` or `None`.
        dilation_rate: Voxels from one point of the kernel to the next.
        epsilon: Added to the variance of the normalization.

    Returns:
        Keras tensor, shape `(batch, *spatial, filters)`.
    """
    x = layer_of("Conv", len(x.shape) - 2)(
        filters,
        kernel_size,
        padding="same",
        dilation_rate=dilation_rate,
        use_bias=not normalization,
        kernel_initializer="he_normal",
        kernel_regularizer=penalty(l2),
        name=name,
    )(x)
    if normalization:
        x = BatchNormalization(
            momentum=NORMALIZATION_MOMENTUM,
            epsilon=epsilon,
            name=f"{name}_bn",
        )(x)
    if activation == "leaky_relu":
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_relu")(x)
    elif activation == "relu":
        x = layers.ReLU(name=f"{name}_relu")(x)
    return x


def penalty(l2):
    """The regularizer `l2 * sum(w ** 2)`; `None` for 0."""
    return regularizers.L2(l2) if l2 else None


def scaled(filters, width):
    """Numbers of maps times `width`, at least 1."""
    return [max(1, round(width * maps)) for maps in filters]
