"""Residual blocks of He et al. (2016) with valid 3D convolutions.

RA is the standard block (two 3x3x3 convolutions), RB the bottleneck block
(1x1x1, 3x3x3, 1x1x1 with four times as many maps at the end). Valid
convolutions shrink the main branch, so the shortcut is cropped by the same
voxels; it is projected (1x1x1, option B of He et al.) where the width changes.
The last normalization of every block starts at gamma 0, so that a fresh block
is its shortcut (Goyal et al., 2017).
"""

from keras import layers
from keras import regularizers

from keras_isample.models.normalization import BatchNormalization

NORMALIZATION_MOMENTUM = 0.9
"""Of the moving statistics. Where `NormalizationUpdate` does not measure them,
whole scans are predicted with them after every epoch; at Keras' default of 0.99
they trail by hundreds of steps. A patch holds thousands of voxels, so that ten
steps give good statistics."""


def convolution(x, filters, kernel_size, *, l2, name, activate=True, gamma=1):
    """Valid convolution, batch normalization and, if asked for, ReLU.

    Args:
        x: Keras tensor, shape `(batch, x, y, z, maps)`.
        filters: Number of output maps.
        kernel_size: Side of the cubic kernel, in voxels.
        l2: Factor of the kernel's L2 penalty, `l2 * sum(w ** 2)`.
        name: Name of the convolution; the normalization and the activation
            get it with `_bn` and `_relu`.
        activate: Whether a ReLU follows.
        gamma: Initial scale of the normalization, 0 or 1.

    Returns:
        Keras tensor, each side smaller by `kernel_size - 1`.
    """
    x = layers.Conv3D(
        filters,
        kernel_size,
        padding="valid",
        kernel_regularizer=regularizers.L2(l2) if l2 else None,
        name=name,
    )(x)
    x = BatchNormalization(
        momentum=NORMALIZATION_MOMENTUM,
        gamma_initializer="ones" if gamma else "zeros",
        name=f"{name}_bn",
    )(x)
    if activate:
        x = layers.ReLU(name=f"{name}_relu")(x)
    return x


def standard_block(x, filters, *, l2, name):
    """RA: two 3x3x3 convolutions and a shortcut; sides shrink by 4."""
    y = convolution(x, filters, 3, l2=l2, name=f"{name}_conv1")
    y = convolution(
        y, filters, 3, l2=l2, name=f"{name}_conv2", activate=False, gamma=0
    )
    return _add_shortcut(x, y, 2, l2=l2, name=name)


def bottleneck_block(x, filters, *, l2, name):
    """RB: 1x1x1, 3x3x3, 1x1x1 to `4 * filters` maps; sides shrink by 2."""
    y = convolution(x, filters, 1, l2=l2, name=f"{name}_conv1")
    y = convolution(y, filters, 3, l2=l2, name=f"{name}_conv2")
    y = convolution(
        y, 4 * filters, 1, l2=l2, name=f"{name}_conv3", activate=False, gamma=0
    )
    return _add_shortcut(x, y, 1, l2=l2, name=name)


def _add_shortcut(x, y, crop, *, l2, name):
    shortcut = layers.Cropping3D(crop, name=f"{name}_crop")(x)
    if shortcut.shape[-1] != y.shape[-1]:
        shortcut = convolution(
            shortcut,
            y.shape[-1],
            1,
            l2=l2,
            name=f"{name}_projection",
            activate=False,
        )
    y = layers.Add(name=f"{name}_add")([shortcut, y])
    return layers.ReLU(name=f"{name}_relu")(y)
