"""ResNet18 (He et al., 2016), and its form for dense prediction.

Names, sizes and paddings are torchvision's, so that its weights fit: layer
`layer2_0_conv1` has the kernel `layer2.0.conv1.weight`.

With an output stride below 32 the last stages do not halve the sides; the
convolutions after a left-out stride are dilated instead, so that they read the
same places (Chen et al., 2017, "Rethinking Atrous Convolution", section 3.1):
every second voxel of these maps is what the network of stride 32 computes.
"""

import keras
from keras import layers

from keras_isample.models.normalization import BatchNormalization
from keras_isample.models.pretrained import load_backbone
from keras_isample.models.residual import NORMALIZATION_MOMENTUM
from keras_isample.models.same_convolution import penalty
from keras_isample.models.same_convolution import scaled
from keras_isample.models.segmentation_head import check_input_shape

STAGES = (64, 128, 256, 512)
"""Maps of the four stages of two blocks at width 1; the stem has the first."""

NORMALIZATION_EPSILON = 1e-5
"""torch's, which pretrained weights were trained with."""


def resnet18(
    *,
    input_shape=(None, None, 3),
    output_stride=32,
    width=1.0,
    l2=0.0,
    weights=None,
    name="resnet18",
):
    """Builds ResNet18 without its classifier.

    11,176,512 trainable parameters with 3 channels, which are the published
    11,689,512 less the 513,000 of the layer of 1,000 classes.

    Args:
        input_shape: `(H, W, channels)`; sides may be `None`.
        output_stride: Voxels of the image for each voxel of the output along
            each axis: 32, 16 or 8.
        width: Factor of all numbers of maps, for small machines.
        l2: Factor of the L2 penalty on every kernel.
        weights: File of pretrained weights, see `load_backbone`.
        name: Name of the model.

    Returns:
        A `keras.Model` from `(batch, H, W, channels)` to the maps of the last
        stage, 512 at width 1; the sides are rounded up.

    Raises:
        ValueError: If an argument is none of what is described here, or the
            file's weights do not fit.
    """
    check_input_shape(input_shape, [2])
    check_width(width)
    image = keras.Input(input_shape, name="image")
    maps = resnet18_maps(image, output_stride, width=width, l2=l2)
    model = keras.Model(image, maps, name=name)
    if weights is not None:
        load_backbone(model, weights, backbone_builder(width))
    return model


def resnet18_maps(x, output_stride=32, *, width=1.0, l2=0.0):
    """The layers of `resnet18` from a Keras tensor to the last stage's maps."""
    if output_stride not in (8, 16, 32):
        raise ValueError(
            "Argument `output_stride` must be 8, 16 or 32. "
            f"Received: output_stride={output_stride}."
        )
    stages = scaled(STAGES, width)
    x = _convolution(x, stages[0], 7, 2, 1, l2, "conv1", "bn1")
    x = layers.ReLU(name="relu")(x)
    # After a ReLU zeros are as good as the -inf of other programs.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    stride, dilation = 4, 1
    for stage, maps in enumerate(stages, 1):
        step = 1 if stage == 1 else 2
        before = dilation
        if stride * step > output_stride:
            # What the left-out stride would have skipped.
            dilation, step = dilation * step, 1
        stride *= step
        name = f"layer{stage}"
        x = _block(x, maps, step, (before, dilation), l2, f"{name}_0")
        x = _block(x, maps, 1, (dilation, dilation), l2, f"{name}_1")
    return x


def backbone_builder(width):
    """Function of a number of channels that builds `resnet18`."""
    return lambda channels: resnet18(
        input_shape=(None, None, channels), width=width
    )


def check_width(width):
    if width <= 0:
        raise ValueError(
            f"Argument `width` must be positive. Received: width={width}."
        )


def _block(x, maps, strides, dilations, l2, name):
    """Two 3x3 convolutions and a shortcut, projected where maps change."""
    first, second = dilations
    y = _convolution(
        x, maps, 3, strides, first, l2, f"{name}_conv1", f"{name}_bn1"
    )
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = _convolution(y, maps, 3, 1, second, l2, f"{name}_conv2", f"{name}_bn2")
    if strides != 1 or x.shape[-1] != maps:
        project = f"{name}_downsample"
        x = _convolution(
            x, maps, 1, strides, 1, l2, f"{project}_0", f"{project}_1"
        )
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _convolution(x, maps, side, strides, dilation, l2, name, normalization):
    """Convolution, padded alike on both sides, and normalization."""
    pad = dilation * (side // 2)
    if pad:
        x = layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        maps,
        side,
        strides=strides,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=penalty(l2),
        name=name,
    )(x)
    return BatchNormalization(
        momentum=NORMALIZATION_MOMENTUM,
        epsilon=NORMALIZATION_EPSILON,
        name=normalization,
    )(x)
