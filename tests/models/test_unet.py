"""The U-Net of the cardiac study and of 2015."""

import keras
import numpy as np
import pytest

from keras_isample.models import unet

CLASSIC = {
    "filters": (64, 128, 256, 512, 1024),
    "normalization": False,
    "activation": "relu",
    "dropout": 0.5,
    "dropout_after": "bottleneck",
}


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def by_hand(filters, channels, num_classes):
    """Of 3x3 and 2x2 convolutions with biases and a 1x1 at the end."""
    total, before = 0, channels
    for maps in filters:
        total += 9 * before * maps + maps + 9 * maps * maps + maps
        before = maps
    for maps in filters[-2::-1]:
        total += 4 * before * maps + maps
        total += 9 * 2 * maps * maps + maps + 9 * maps * maps + maps
        before = maps
    return total + before * num_classes + num_classes


def test_parameters_of_the_network_of_2015():
    assert by_hand(CLASSIC["filters"], 1, 2) == 31_030_658
    assert trainable(unet(2, **CLASSIC)) == 31_030_658
    # The often quoted count: 3x3 to 2 maps, then 1x1 to one sigmoid.
    assert 31_030_658 - (64 * 2 + 2) + (9 * 64 * 2 + 2) + (2 + 1) == 31_031_685


def test_parameters_with_normalization_in_place_of_biases():
    model = unet(2, input_shape=(None, None, 3), filters=CLASSIC["filters"])
    assert trainable(model) == 31_037_698
    # A bias becomes a scale and an offset after each of 18 convolutions.
    convolutions = 2 * (sum(CLASSIC["filters"]) + sum(CLASSIC["filters"][:-1]))
    assert by_hand(CLASSIC["filters"], 3, 2) + convolutions == 31_037_698


def test_the_default_has_three_stages():
    model = unet(4)
    assert model.metadata["multiple"] == 8
    maps = [model.get_layer(f"down{i}_conv2").filters for i in (1, 2, 3)]
    assert maps == [64, 128, 256]
    assert model.get_layer("bottleneck_conv1").filters == 512
    assert model.get_layer("up3_transposed").kernel_size == (2, 2)
    assert model.get_layer("classifier").kernel_size == (1, 1)
    assert model.get_layer("down1_conv1_relu").negative_slope == 0.01


def dropouts(model):
    return [
        (x.name, x.rate)
        for x in model.layers
        if isinstance(x, keras.layers.Dropout)
    ]


def test_dropout_is_after_each_pooling_or_at_the_end_of_the_way_down():
    assert dropouts(unet(2, width=0.02)) == [
        ("down1_dropout", 0.2),
        ("down2_dropout", 0.2),
        ("down3_dropout", 0.2),
    ]
    classic = unet(2, width=0.02, **CLASSIC)
    assert dropouts(classic) == [("bottleneck_dropout", 0.5)]
    assert dropouts(unet(2, width=0.02, dropout=0)) == []


def test_width_multiplies_all_maps():
    model = unet(2, width=0.1)
    assert model.get_layer("down1_conv1").filters == 6
    assert model.get_layer("bottleneck_conv2").filters == 51
    assert unet(2, width=0.001).get_layer("down1_conv1").filters == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"filters": (8,)}, "`filters` must have"),
        ({"activation": "elu"}, "activation='elu'"),
        ({"dropout_after": "all"}, "dropout_after='all'"),
    ],
)
def test_unknown_forms_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        unet(2, **options)
