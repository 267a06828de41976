"""UNet 3+: full-scale skip connections and deep supervision.

Huang et al. (2020), "UNet 3+: A Full-Scale Connected UNet for Medical Image
Segmentation", sections 2.1 and 2.2. Every stage of the decoder reads maps of
all five scales: those of shallower encoder stages by max pooling, those of
deeper decoder stages by bilinear upsampling, each by a 3x3 convolution to 64
maps; a 3x3 convolution mixes the 320. The classification-guided module
(section 2.3) is left out: it decides between an organ and none, where these
networks have several classes.
"""

import keras
from keras import layers

from keras_isample.models.deep_supervision import DeeplySupervisedModel
from keras_isample.models.fork import fork
from keras_isample.models.same_convolution import layer_of
from keras_isample.models.same_convolution import same_convolution
from keras_isample.models.same_convolution import scaled
from keras_isample.models.segmentation_head import check_arguments
from keras_isample.models.segmentation_head import classes
from keras_isample.models.segmentation_head import facts
from keras_isample.models.segmentation_model import SegmentationModel
from keras_isample.models.sides import pad_sides
from keras_isample.models.upsampling import LinearUpsampling

FILTERS = (64, 128, 256, 512, 1024)
"""Maps of the five encoder stages at width 1."""

SKIP_FILTERS = 64
"""Maps that a decoder stage takes from each scale at width 1."""


def unet3plus(
    num_classes,
    *,
    input_shape=(None, None, 1),
    filters=FILTERS,
    skip_filters=SKIP_FILTERS,
    width=1.0,
    l2=1e-4,
    deep_supervision=False,
    classifier_activation="softmax",
    name="unet3plus",
):
    """Builds a UNet 3+ for slices (2D) or volumes (3D).

    26,968,130 trainable parameters with 3 channels and 2 classes; the paper
    says 26.97 M. Its authors' code has 26,971,777 with 3 channels and 1 class:
    one class less, and 6,528 biases before normalizations, where they have no
    effect.

    With `deep_supervision` every decoder stage and the bottleneck give classes,
    by a 3x3 convolution, upsampled to the image's size before the softmax. The
    model then has a list of outputs, the prediction first, and trains with one
    loss and one label map all the same: see `DeeplySupervisedModel`.

    Args:
        num_classes: Number of classes including background.
        input_shape: `(H, W, channels)` or `(X, Y, Z, channels)`. Sides may be
            `None`, for images of any size; they are padded to a multiple of 16
            inside (with five stages) and cropped back.
        filters: Maps of the encoder's stages at width 1.
        skip_filters: Maps taken from each scale at width 1.
        width: Factor of all numbers of maps, for small machines.
        l2: Factor of the L2 penalty on every kernel but the last layers'.
        deep_supervision: Whether there are further outputs for training.
        classifier_activation: `"softmax"`, or `None` for logits.
        name: Name of the model.

    Returns:
        A `SegmentationModel` from `(batch, *spatial, channels)` to float32
        `(batch, *spatial, num_classes)`; with `deep_supervision` to a list of
        as many of these as there are `filters`.

    Raises:
        ValueError: If an argument is none of what is described here.
    """
    check_arguments(num_classes, input_shape, width, classifier_activation)
    if len(filters) < 2:
        raise ValueError(
            "Argument `filters` must have the maps of at least two stages. "
            f"Received: filters={filters}."
        )
    stages = scaled(filters, width)
    (maps,) = scaled([skip_filters], width)
    multiple = 2 ** (len(stages) - 1)
    image = keras.Input(input_shape, name="image")
    encoded, bottom = _encoder(pad_sides(image, multiple), stages, l2)
    decoded = _decoder(encoded, bottom, maps, l2, deep_supervision)
    outputs = []
    for level, x in enumerate(decoded, 1):
        suffix = "" if level == 1 else str(level)
        x = layer_of("Conv", len(input_shape) - 1)(
            num_classes, 3, padding="same", name=f"classifier{suffix}"
        )(x)
        if level > 1:
            x = LinearUpsampling(2 ** (level - 1), name=f"enlarge{suffix}")(x)
        outputs.append(
            classes(
                x,
                image,
                classifier_activation=classifier_activation,
                suffix=suffix,
            )
        )
    if deep_supervision:
        model = DeeplySupervisedModel(image, outputs, name=name)
    else:
        model = SegmentationModel(image, outputs[0], name=name)
    # The path down to the bottleneck, whose maps are enlarged at once.
    halo = 8 * multiple - 5
    model.metadata = facts(
        "unet3plus", num_classes, input_shape, width, multiple, halo
    )
    return model


def _encoder(x, stages, l2):
    """Maps of the stages, at all the scales at which the decoder reads them.

    Returns:
        One list for each stage but the last, its maps for the decoder's stages
        from its own on, downward; and the maps of the last stage.
    """
    last = len(stages) - 1
    encoded = []
    for level, maps in enumerate(stages):
        name = f"down{level + 1}"
        for index in (1, 2):
            x = same_convolution(x, maps, l2=l2, name=f"{name}_conv{index}")
        if level < last:
            scales, x = _pooled(x, last - level, name)
            encoded.append(scales)
    return encoded, x


def _pooled(x, count, name):
    """Maps at `count` scales for the decoder, and those of the next stage.

    The poolings are a chain: the largest of four is that of two pairs.
    """
    steps = max(count, 2)
    scales, following = [], None
    for step in range(steps):
        read, last = step < count, step == steps - 1
        readers = read + (step == 1) + (not last)
        parts = fork(x, readers, f"{name}_fork{2**step}")
        if step == 1:
            following = parts.pop()
        if read:
            scales.append(parts.pop())
        if not last:
            pool = layer_of("MaxPooling", len(x.shape) - 2)
            x = pool(2, name=f"{name}_pool{2 ** (step + 1)}")(parts.pop())
    return scales, following


def _decoder(encoded, bottom, maps, l2, deep_supervision):
    """Maps of the decoder's stages, the finest first.

    Returns:
        List of them for the classifiers: the finest alone, or, with
        `deep_supervision`, all and the bottleneck's.
    """
    deepest = len(encoded)
    readers = fork(bottom, deepest + deep_supervision, "bottleneck_fork")
    decoded = {deepest: list(readers)}
    for level in range(deepest - 1, -1, -1):
        name = f"up{level + 1}"
        parts = []
        for source in range(deepest + 1):
            label = f"{name}_from{source + 1}"
            if source <= level:
                x = encoded[source][level - source]
            else:
                x = LinearUpsampling(
                    2 ** (source - level), name=f"{label}_enlarge"
                )(decoded[source].pop())
            parts.append(same_convolution(x, maps, l2=l2, name=label))
        x = layers.Concatenate(name=f"{name}_concatenate")(parts)
        x = same_convolution(x, maps * len(parts), l2=l2, name=f"{name}_mix")
        count = level + deep_supervision if level else 1
        decoded[level] = list(fork(x, count, f"{name}_fork"))
    levels = range(deepest + 1) if deep_supervision else [0]
    return [decoded[level].pop() for level in levels]
