"""The dual-path 3D ResNet of the isample papers, as a reconstruction.

The published layer table is not available. This layout is derived from the
published constraints and meets all of them: 649,251 parameters with 11
classes, 21 weighted layers, receptive field 123^3, standard (RA) and
bottleneck (RB) blocks, a second path at a quarter of the resolution, and
fully connected (1x1x1) layers after dropout. See `dual_path_geometry` for the
sizes of the inputs.

L2 follows Keras: `l2 * sum(w ** 2)`, whose gradient is `2 * l2 * w`.
"""

import keras
from keras import layers
from keras import ops

from keras_isample.models.dual_path_geometry import CONTEXT_HALO
from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.residual import bottleneck_block
from keras_isample.models.residual import convolution
from keras_isample.models.residual import standard_block
from keras_isample.models.segmentation_model import SegmentationModel

STAGES = (10, 20, 40)
"""Maps of the three pairs of RA blocks at width 1; the stem has the first."""

HIDDEN = 200
"""Maps of the first fully connected layer at width 1."""


def dual_path_resnet(
    num_classes,
    *,
    num_channels=1,
    width=1.0,
    context_width=3,
    dropout=0.5,
    l2=1e-4,
    classifier_activation="softmax",
    name="dual_path_resnet",
):
    """Builds the dual-path 3D ResNet (a reconstruction).

    Inputs, in this order: `image`, shape `(batch, H, H, H, num_channels)`, and
    `context`, shape `(batch, L, L, L, num_channels)`, with `H = o + 28` and
    `L = o / 4 + 30` for a labeled patch of side `o`, a multiple of 4. Output:
    `(batch, o, o, o, num_classes)`. Any `o` fits the same weights.

    Args:
        num_classes: Number of classes including background.
        num_channels: Channels of the scans.
        width: Factor of all numbers of maps, for small machines.
        context_width: Side in voxels of the mean that makes a context voxel:
            3 (receptive field 123) or 4 (124). Weights are interchangeable.
        dropout: Share of maps dropped before both fully connected layers.
        l2: Factor of the L2 penalty on every kernel but the last layer's.
        classifier_activation: `"softmax"`, or `None` for logits.
        name: Name of the model.

    Returns:
        A `SegmentationModel`.

    Raises:
        ValueError: If `num_classes` is below 2, `width` is not positive or
            `context_width` is neither 3 nor 4.

    Example:
    >>> model = dual_path_resnet(num_classes=11)
    >>> model.count_params()
    649251
    """
    if num_classes < 2:
        raise ValueError(
            "Argument `num_classes` counts the background and must be at "
            f"least 2. Received: num_classes={num_classes}."
        )
    if width <= 0:
        raise ValueError(
            f"Argument `width` must be positive. Received: width={width}."
        )
    if classifier_activation not in ("softmax", None):
        raise ValueError(
            'Argument `classifier_activation` must be "softmax" or None. '
            f"Received: {classifier_activation!r}."
        )
    DualPathGeometry(context_width=context_width)
    stages = [max(1, round(width * maps)) for maps in STAGES]
    sides = (None, None, None, num_channels)
    image = keras.Input(sides, name="image")
    context = keras.Input(sides, name="context")
    high = _path(image, stages, bottlenecks=1, l2=l2, name="high")
    low = _path(context, stages, bottlenecks=2, l2=l2, name="low")
    x = MergePaths(name="merge")([high, low])
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = convolution(x, max(1, round(width * HIDDEN)), 1, l2=l2, name="fc1")
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = layers.Conv3D(num_classes, 1, name="fc2")(x)
    if classifier_activation is None:
        x = layers.Activation("linear", dtype="float32", name="logits")(x)
    else:
        x = layers.Softmax(dtype="float32", name="probabilities")(x)
    model = SegmentationModel([image, context], x, name=name)
    model.metadata = {
        "network": "dual-path",
        "num_classes": num_classes,
        "num_channels": num_channels,
        "width": width,
        "context_width": context_width,
    }
    return model


def dual_path_of_volumes(num_classes, *, input_shape, **options):
    """`dual_path_resnet` with the arguments that all networks by name have.

    Args:
        num_classes: Number of classes including background.
        input_shape: `(None, None, None, channels)`.
        options: As of `dual_path_resnet`.
    """
    return dual_path_resnet(
        num_classes, num_channels=input_shape[-1], **options
    )


def single_input(model, patch_size):
    """The network as a function of one volume patch, for one-pass inference.

    Args:
        model: What `dual_path_resnet` returns.
        patch_size: Side `o` of the output, a multiple of 4.

    Returns:
        A `keras.Model` from `(batch, o + 120, o + 120, o + 120, channels)` to
        `(batch, o, o, o, num_classes)`.
    """
    context_width = model.metadata["context_width"]
    geometry = DualPathGeometry(patch_size, context_width)
    side = patch_size + 2 * geometry.margin
    channels = model.metadata["num_channels"]
    volume = keras.Input((side, side, side, channels), name="volume")
    crop = geometry.margin - IMAGE_HALO
    image = layers.Cropping3D(crop, name="crop_image")(volume)
    context = layers.AveragePooling3D(
        context_width, CONTEXT_STRIDE, padding="valid", name="pool_context"
    )(volume)
    return keras.Model(volume, model([image, context]))


@keras.saving.register_keras_serializable(package="keras_isample")
class MergePaths(layers.Layer):
    """Repeats the low-resolution maps 4 times along each axis and concatenates.

    Call arguments:
        inputs: Maps of the high-resolution path, shape `(batch, o, o, o, m)`,
            and of the low-resolution path, `(batch, o/4, o/4, o/4, n)`.

    Returns:
        Shape `(batch, o, o, o, m + n)`.

    Raises:
        ValueError: If the sides do not fit, which means that the two inputs of
            the network do not show the same place.
    """

    def call(self, inputs):
        high, low = inputs
        _check_sides(high.shape, low.shape)
        return ops.concatenate([high, repeat_voxels(low)], axis=-1)

    def compute_output_shape(self, input_shape):
        high, low = input_shape
        _check_sides(high, low)
        return (*high[:-1], high[-1] + low[-1])


def repeat_voxels(x):
    """Repeats every voxel 4 times along each of the three spatial axes."""
    for axis in (1, 2, 3):
        x = ops.repeat(x, CONTEXT_STRIDE, axis=axis)
    return x


def _check_sides(high, low):
    for a, b in zip(high[1:4], low[1:4], strict=True):
        if a is None or b is None or a == CONTEXT_STRIDE * b:
            continue
        image_side = a + 2 * IMAGE_HALO
        raise ValueError(
            "The sides H of `image` and L of `context` must satisfy "
            "H - 28 = 4 (L - 30). Received: "
            f"H={image_side}, L={b + 2 * CONTEXT_HALO}. For a labeled patch of "
            f"{a} voxels use H={image_side}, L={a / 4 + 30:g}; the labeled "
            "patch must be a multiple of 4."
        )


def _path(x, stages, *, bottlenecks, l2, name):
    x = convolution(x, stages[0], 3, l2=l2, name=f"{name}_stem")
    for block in range(6):
        x = standard_block(
            x, stages[block // 2], l2=l2, name=f"{name}_ra{block + 1}"
        )
    for block in range(bottlenecks):
        x = bottleneck_block(x, stages[2], l2=l2, name=f"{name}_rb{block + 1}")
    return x
