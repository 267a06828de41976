"""The U-Net, in the form of the cardiac study and in that of 2015.

Ronneberger, Fischer & Brox (2015), "U-Net: Convolutional Networks for
Biomedical Image Segmentation", Figure 1, with two changes that are usual today:
convolutions keep the size ("same"), so that maps are concatenated without
cropping and every voxel of the image gets a class; and the transposed
convolution ("up-conv 2x2") has no activation. The cardiac MR study's form has
three stages, batch normalization, leaky ReLU and dropout after every pooling;
its numbers of filters are not known here, the first four of 2015 are taken.
"""

import keras
from keras import layers

from keras_isample.models.same_convolution import layer_of
from keras_isample.models.same_convolution import penalty
from keras_isample.models.same_convolution import same_convolution
from keras_isample.models.same_convolution import scaled
from keras_isample.models.segmentation_head import check_arguments
from keras_isample.models.segmentation_head import classes
from keras_isample.models.segmentation_head import facts
from keras_isample.models.segmentation_model import SegmentationModel
from keras_isample.models.sides import pad_sides

CARDIAC_FILTERS = (64, 128, 256, 512)
"""Three stages and the bottleneck."""


def unet(
    num_classes,
    *,
    input_shape=(None, None, 1),
    filters=CARDIAC_FILTERS,
    width=1.0,
    normalization=True,
    activation="leaky_relu",
    dropout=0.2,
    dropout_after="pooling",
    l2=1e-4,
    classifier_activation="softmax",
    name="unet",
):
    """Builds a U-Net for slices (2D) or volumes (3D).

    A stage is two 3x3 convolutions and a 2x2 max pooling; on the way up, a
    transposed 2x2 convolution of stride 2 that halves the maps, concatenation
    with the stage's maps, and two convolutions. A 1x1 convolution ends it. The
    defaults are the cardiac study's form; the network of 2015 is::

        unet(
            2,
            filters=(64, 128, 256, 512, 1024),
            normalization=False,
            activation="relu",
            dropout=0.5,
            dropout_after="bottleneck",
        )

    with 31,030,658 parameters for one channel (the often quoted 31,031,685
    has another 3x3 convolution to 2 maps before one sigmoid, which is not in
    the paper). With normalization, three channels and two classes the same
    filters give 31,037,698 trainable ones, as popular torch versions have.

    Args:
        num_classes: Number of classes including background.
        input_shape: `(H, W, channels)` or `(X, Y, Z, channels)`. Sides may be
            `None`, for images of any size; they are padded to a multiple of 2
            to the number of poolings inside and cropped back.
        filters: Maps of the stages and, last, of the bottleneck, at width 1.
        width: Factor of all numbers of maps, for small machines.
        normalization: Whether batch normalization follows the convolutions.
        activation: `"leaky_relu"` (slope 0.01) or `"relu"`.
        dropout: Share of single values dropped in training.
        dropout_after: `"pooling"` (each) or `"bottleneck"` (once, at the end of
            the contracting path).
        l2: Factor of the L2 penalty on every kernel but the last layer's.
        classifier_activation: `"softmax"`, or `None` for logits.
        name: Name of the model.

    Returns:
        A `SegmentationModel` from `(batch, *spatial, channels)` to float32
        `(batch, *spatial, num_classes)`.

    Raises:
        ValueError: If an argument is none of what is described here.

    Example:
    >>> model = unet(4, input_shape=(96, 96, 1))
    >>> model.output_shape
    (None, 96, 96, 4)
    """
    check_arguments(
        num_classes, input_shape, width, classifier_activation, activation
    )
    if len(filters) < 2:
        raise ValueError(
            "Argument `filters` must have the maps of at least one stage and "
            f"of the bottleneck. Received: filters={filters}."
        )
    if dropout_after not in ("pooling", "bottleneck"):
        raise ValueError(
            'Argument `dropout_after` must be "pooling" or "bottleneck". '
            f"Received: dropout_after={dropout_after!r}."
        )
    ndim = len(input_shape) - 1
    *stages, bottom = scaled(filters, width)
    multiple = 2 ** len(stages)

    def two_convolutions(x, maps, name):
        for index in (1, 2):
            x = same_convolution(
                x,
                maps,
                l2=l2,
                name=f"{name}_conv{index}",
                normalization=normalization,
                activation=activation,
            )
        return x

    image = keras.Input(input_shape, name="image")
    x = pad_sides(image, multiple)
    skips = []
    for level, maps in enumerate(stages, 1):
        x = two_convolutions(x, maps, f"down{level}")
        skips.append(x)
        x = layer_of("MaxPooling", ndim)(2, name=f"down{level}_pool")(x)
        if dropout and dropout_after == "pooling":
            x = layers.Dropout(dropout, name=f"down{level}_dropout")(x)
    x = two_convolutions(x, bottom, "bottleneck")
    if dropout and dropout_after == "bottleneck":
        x = layers.Dropout(dropout, name="bottleneck_dropout")(x)
    for level in range(len(stages), 0, -1):
        x = layer_of("ConvTranspose", ndim)(
            stages[level - 1],
            2,
            strides=2,
            kernel_initializer="he_normal",
            kernel_regularizer=penalty(l2),
            name=f"up{level}_transposed",
        )(x)
        x = layers.Concatenate(name=f"up{level}_concatenate")(
            [skips[level - 1], x]
        )
        x = two_convolutions(x, stages[level - 1], f"up{level}")
    x = layer_of("Conv", ndim)(num_classes, 1, name="classifier")(x)
    x = classes(x, image, classifier_activation=classifier_activation)
    model = SegmentationModel(image, x, name=name)
    # Two convolutions at stride s see 2 s voxels further, on the way down and
    # up; a pooling and a transposed convolution together s on either side.
    halo = 7 * multiple - 5
    model.metadata = facts(
        "unet", num_classes, input_shape, width, multiple, halo
    )
    return model
