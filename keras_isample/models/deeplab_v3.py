"""DeepLabV3 with a ResNet18 backbone.

Chen et al. (2017), "Rethinking Atrous Convolution for Semantic Image
Segmentation", section 3.3: atrous spatial pyramid pooling (a 1x1 convolution,
three 3x3 of growing dilation, and the mean of the whole image), 256 maps each,
mixed by a 1x1 convolution before the classifier, and bilinear upsampling.
"""

import keras
from keras import layers
from keras import ops

from keras_isample.models.fork import fork
from keras_isample.models.pretrained import load_backbone
from keras_isample.models.resnet18 import NORMALIZATION_EPSILON
from keras_isample.models.resnet18 import backbone_builder
from keras_isample.models.resnet18 import resnet18_maps
from keras_isample.models.same_convolution import same_convolution
from keras_isample.models.same_convolution import scaled
from keras_isample.models.segmentation_head import check_arguments
from keras_isample.models.segmentation_head import classes
from keras_isample.models.segmentation_head import facts
from keras_isample.models.segmentation_model import SegmentationModel
from keras_isample.models.sides import pad_sides
from keras_isample.models.upsampling import LinearUpsampling

RATES = (6, 12, 18)
"""Dilations of the pyramid at output stride 16; twice these at 8."""

PYRAMID_FILTERS = 256
"""Maps of each part of the pyramid at width 1."""


def deeplab_v3(
    num_classes,
    *,
    input_shape=(None, None, 1),
    output_stride=16,
    width=1.0,
    weights=None,
    l2=1e-4,
    classifier_activation="softmax",
    name="deeplab_v3",
):
    """Builds DeepLabV3 for slices.

    15,308,352 + 257 `num_classes` trainable parameters with 3 channels: those
    of ResNet18 (11,176,512) and of the pyramid (4,131,840). Public versions
    with this backbone have 590,336 more, a 3x3 convolution before the
    classifier that is not in the paper.

    The mean of the image is normalized over the batch alone, one value per
    slice: train with batches of more than one slice.

    Args:
        num_classes: Number of classes including background.
        input_shape: `(H, W, channels)`. Sides may be `None`, for images of any
            size; they are padded to a multiple of `output_stride` inside and
            cropped back.
        output_stride: Voxels of the image for each voxel of the last maps along
            each axis, 16 or 8.
        width: Factor of all numbers of maps, for small machines.
        weights: File of pretrained weights of the backbone, `.keras`,
            `.weights.h5`, `.h5` or `.npz`, see `models.pretrained`.
        l2: Factor of the L2 penalty on every kernel but the last layer's.
        classifier_activation: `"softmax"`, or `None` for logits.
        name: Name of the model.

    Returns:
        A `SegmentationModel` from `(batch, H, W, channels)` to float32
        `(batch, H, W, num_classes)`.

    Raises:
        ValueError: If an argument is none of what is described here, or the
            file's weights do not fit.
    """
    check_arguments(
        num_classes, input_shape, width, classifier_activation, dimensions=[2]
    )
    if output_stride not in (8, 16):
        raise ValueError(
            "Argument `output_stride` must be 16 or 8. "
            f"Received: output_stride={output_stride}."
        )
    image = keras.Input(input_shape, name="image")
    x = pad_sides(image, output_stride)
    x = resnet18_maps(x, output_stride, width=width, l2=l2)
    (filters,) = scaled([PYRAMID_FILTERS], width)
    x = _pyramid(x, filters, 16 // output_stride, l2)
    x = layers.Conv2D(num_classes, 1, name="classifier")(x)
    x = LinearUpsampling(output_stride, name="enlarge")(x)
    x = classes(x, image, classifier_activation=classifier_activation)
    model = SegmentationModel(image, x, name=name)
    model.metadata = facts(
        "deeplab-v3", num_classes, input_shape, width, output_stride
    )
    if weights is not None:
        load_backbone(model, weights, backbone_builder(width))
    return model


def _pyramid(x, filters, factor, l2):
    def convolution(x, name, kernel_size=1, rate=1):
        return same_convolution(
            x,
            filters,
            kernel_size,
            l2=l2,
            name=f"pyramid_{name}",
            dilation_rate=rate,
            epsilon=NORMALIZATION_EPSILON,
        )

    own, *rest = fork(x, 2 + len(RATES), "pyramid_fork")
    parts = [convolution(own, "1x1")]
    for rate in RATES:
        parts.append(convolution(rest.pop(), f"rate{rate}", 3, factor * rate))
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_mean")(
        rest.pop()
    )
    mean = convolution(mean, "image")
    parts.append(RepeatOver(name="pyramid_repeat")([mean, parts[0]]))
    x = layers.Concatenate(name="pyramid_concatenate")(parts)
    return convolution(x, "mix")


@keras.saving.register_keras_serializable(package="keras_isample")
class RepeatOver(layers.Layer):
    """One value per map, repeated over the voxels of other maps.

    Upsampling of a single voxel is the same whatever the interpolation.

    Call arguments:
        inputs: Shape `(batch, 1, 1, maps)`, and maps `(batch, H, W, any)`.

    Returns:
        Shape `(batch, H, W, maps)`.
    """

    def call(self, inputs):
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        x = ops.repeat(x, height, axis=1)
        return ops.repeat(x, width, axis=2)

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (*like[:-1], x[-1])
