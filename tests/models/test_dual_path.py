"""The checks of section 7 of the network page."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_isample.losses import CrossEntropy
from keras_isample.models import DualPathGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import measure_receptive_field
from keras_isample.models import single_input
from keras_isample.models.dual_path import MergePaths

BLOCK_ENDS = [
    f"{path}_ra{block}_conv2_bn"
    for path in ("high", "low")
    for block in range(1, 7)
] + ["high_rb1_conv3_bn", "low_rb1_conv3_bn", "low_rb2_conv3_bn"]


@pytest.fixture(scope="module")
def model():
    return dual_path_resnet(11)


@pytest.fixture(scope="module")
def narrow():
    return dual_path_resnet(3, width=0.1, classifier_activation=None)


def inputs_of(model, patch_size, batch_size=1, seed=0):
    rng = np.random.default_rng(seed)
    geometry = DualPathGeometry(patch_size)
    return [
        rng.normal(size=(batch_size, *[side] * 3, x.shape[-1])).astype(
            "float32"
        )
        for side, x in zip(
            (geometry.image_size, geometry.context_size),
            model.inputs,
            strict=True,
        )
    ]


def evaluate(model, inputs):
    """Without compiling, which takes longer than a few calls."""
    return np.array(model(inputs))


def weighted_depth(model, name):
    """Most convolutions on any way from an input to a layer.

    A shortcut never has more of them than the branch beside it, so that
    projections do not count.
    """
    makers = {id(layer.output): layer for layer in model.layers}
    depths = {}

    def depth(layer):
        if layer.name not in depths:
            before = 0
            if not isinstance(layer, layers.InputLayer):
                tensors = layer.input
                if not isinstance(tensors, list):
                    tensors = [tensors]
                before = max(depth(makers[id(t)]) for t in tensors)
            counted = isinstance(layer, layers.Conv3D)
            depths[layer.name] = before + counted
        return depths[layer.name]

    return depth(model.get_layer(name))


# Parameters.


@pytest.mark.parametrize(
    "num_classes, count", [(11, 649_251), (15, 650_055), (2, 647_442)]
)
def test_parameters_for_each_number_of_classes(num_classes, count):
    assert dual_path_resnet(num_classes).count_params() == count


def test_trainable_parameters(model):
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trainable == 645_371


@pytest.mark.parametrize(
    "path, count", [("high_", 262_420), ("low_", 319_620), ("fc1", 65_000)]
)
def test_parameters_of_each_part(model, path, count):
    parts = [x for x in model.layers if x.name.startswith(path)]
    assert sum(layer.count_params() for layer in parts) == count


def test_a_second_channel_adds_two_stem_kernels(model):
    two = dual_path_resnet(11, num_channels=2)
    assert two.count_params() - model.count_params() == 2 * 27 * 10


# Depth and receptive field.


def test_depth_is_21_weighted_layers(model):
    assert weighted_depth(model, "fc2") == 21


def test_depth_without_fully_connected_layers_is_19(model):
    assert weighted_depth(model, "low_rb2_relu") == 19


def test_depth_of_the_high_resolution_path_is_16(model):
    assert weighted_depth(model, "high_rb1_relu") == 16


@pytest.mark.parametrize(
    "context_width, size, axis",
    [(3, 123, 0), (3, 123, 1), (3, 123, 2), (4, 124, 0)],
)
def test_receptive_field(context_width, size, axis):
    model = dual_path_resnet(
        2, width=0.1, context_width=context_width, classifier_activation=None
    )
    # Output voxels 4 to 7 share a context voxel; the first sees 60 voxels
    # before itself, the last 63, in a volume that begins 60 before the patch.
    first, last = measure_receptive_field(
        single_input(model, 8), axis=axis, output_index=5
    )
    assert (first, last - first + 1) == (4, size)


def test_receptive_field_of_the_high_resolution_path_is_29(narrow):
    path = keras.Model(
        narrow.inputs[0], narrow.get_layer("high_rb1_relu").output
    )
    volume = keras.Input((36, 36, 36, 1))
    model = keras.Model(volume, path(volume))
    # Its middle is the output voxel, 14 voxels behind the start of the input.
    assert measure_receptive_field(model, output_index=4) == (4, 32)


# Sizes.


@pytest.mark.parametrize("patch_size", [4, 8, 12, 20])
def test_any_patch_size_fits_the_same_weights(narrow, patch_size):
    result = evaluate(narrow, inputs_of(narrow, patch_size))
    assert result.shape == (1, patch_size, patch_size, patch_size, 3)


def test_sides_may_differ_between_axes(narrow):
    image = np.zeros((1, 36, 32, 40, 1), "float32")
    context = np.zeros((1, 32, 31, 33, 1), "float32")
    result = evaluate(narrow, [image, context])
    assert result.shape == (1, 8, 4, 12, 3)


@pytest.mark.parametrize("image, context", [(36, 31), (36, 33), (38, 32)])
def test_sides_that_do_not_fit_are_refused(narrow, image, context):
    arrays = [
        np.zeros((1, side, side, side, 1), "float32")
        for side in (image, context)
    ]
    message = rf"H - 28 = 4 \(L - 30\).*H={image}, L={context}"
    with pytest.raises(ValueError, match=message):
        narrow(arrays)


def test_sides_that_fit_are_named_in_the_refusal():
    with pytest.raises(ValueError, match=r"use H=36, L=32"):
        MergePaths()([np.zeros((1, 8, 8, 8, 1)), np.zeros((1, 1, 1, 1, 1))])


def test_a_context_voxel_covers_its_block_of_4_voxels():
    high = np.zeros((1, 8, 8, 8, 1))
    low = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    merged = np.array(MergePaths()([high, low]))[0, ..., 1]
    expected = np.kron(low[0, ..., 0], np.ones((4, 4, 4)))
    assert (merged == expected).all()


# Initialization, penalty, dropout.


def test_the_last_normalization_of_every_block_starts_at_gamma_0(model):
    zero = [
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
        and (layer.get_weights()[0] == 0).all()
    ]
    assert sorted(zero) == sorted(BLOCK_ENDS)


def test_every_other_normalization_starts_at_gamma_1(model):
    for layer in model.layers:
        is_normalization = isinstance(layer, layers.BatchNormalization)
        if is_normalization and layer.name not in BLOCK_ENDS:
            assert (layer.get_weights()[0] == 1).all()


def test_in_the_first_step_only_shortcuts_and_gammas_learn(randomize):
    model = dual_path_resnet(3, width=0.2, dropout=0, l2=0)
    labels = np.random.default_rng(0).integers(0, 3, (2, 4, 4, 4))
    with tf.GradientTape() as tape:
        p = model(inputs_of(model, 4, batch_size=2), training=True)
        loss = CrossEntropy()(labels, p)
    kernels = {x.name: x.kernel for x in model.layers if hasattr(x, "kernel")}
    variables = [kernel.value for kernel in kernels.values()]
    gradients = tape.gradient(loss, variables)
    learning = {
        name
        for name, gradient in zip(kernels, gradients, strict=True)
        if np.abs(gradient).max() > 0
    }
    inner = {name for name in kernels if "_conv" in name}
    assert learning == set(kernels) - inner
    assert len(inner) == 2 * 12 + 3 * 3


def test_l2_is_on_every_kernel_but_the_last_layers(model):
    penalized = {
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.Conv3D) and layer.kernel_regularizer
    }
    all_kernels = {
        layer.name for layer in model.layers if isinstance(layer, layers.Conv3D)
    }
    assert penalized == all_kernels - {"fc2"}


def test_the_penalty_is_1e_4_times_the_squares_of_all_those_kernels(model):
    squares = sum(
        np.square(layer.get_weights()[0]).sum()
        for layer in model.layers
        if isinstance(layer, layers.Conv3D) and layer.name != "fc2"
    )
    assert float(sum(model.losses)) == pytest.approx(1e-4 * squares, rel=1e-4)


def test_dropout_of_a_half_is_before_both_fully_connected_layers(model):
    makers = {id(layer.output): layer for layer in model.layers}
    for name in ("fc1", "fc2"):
        before = makers[id(model.get_layer(name).input)]
        assert isinstance(before, layers.Dropout) and before.rate == 0.5
    others = [x for x in model.layers if isinstance(x, layers.Dropout)]
    assert len(others) == 2


def test_every_convolution_is_valid_and_has_a_bias(model):
    for layer in model.layers:
        if isinstance(layer, layers.Conv3D):
            assert layer.padding == "valid" and layer.use_bias


def test_each_convolution_but_the_last_is_normalized(model):
    names = {layer.name for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, layers.Conv3D) and layer.name != "fc2":
            assert f"{layer.name}_bn" in names


# Options.


def test_probabilities_add_up_to_1(randomize):
    model = randomize(dual_path_resnet(4, width=0.1))
    p = evaluate(model, inputs_of(model, 4))
    assert p.sum(axis=-1) == pytest.approx(np.ones((1, 4, 4, 4)))


def test_softmax_of_the_logits_is_the_probabilities(randomize):
    logits = randomize(
        dual_path_resnet(4, width=0.1, classifier_activation=None)
    )
    model = dual_path_resnet(4, width=0.1)
    model.set_weights(logits.get_weights())
    z = evaluate(logits, inputs_of(model, 4)).astype("float64")
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    assert evaluate(model, inputs_of(model, 4)) == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize(
    "width, maps, hidden", [(0.5, (5, 10, 20), 100), (2, (20, 40, 80), 400)]
)
def test_width_scales_every_number_of_maps(width, maps, hidden):
    model = dual_path_resnet(2, width=width)
    for path in ("high", "low"):
        assert model.get_layer(f"{path}_stem").filters == maps[0]
        for block in range(6):
            layer = model.get_layer(f"{path}_ra{block + 1}_conv1")
            assert layer.filters == maps[block // 2]
        last = model.get_layer(f"{path}_rb1_conv3")
        assert last.filters == 4 * maps[2]
    assert model.get_layer("fc1").filters == hidden


def test_no_width_leaves_a_layer_without_maps():
    model = dual_path_resnet(2, width=0.01)
    assert model.get_layer("high_stem").filters == 1


def test_weights_do_not_depend_on_the_context_width(narrow, randomize):
    wide = dual_path_resnet(
        3, width=0.1, classifier_activation=None, context_width=4
    )
    wide.set_weights(randomize(narrow, 3).get_weights())
    x = inputs_of(narrow, 4)
    assert (evaluate(wide, x) == evaluate(narrow, x)).all()


def test_metadata_names_the_network_and_its_options():
    model = dual_path_resnet(4, num_channels=2, width=0.1, context_width=4)
    assert model.metadata == {
        "network": "dual-path",
        "num_classes": 4,
        "num_channels": 2,
        "width": 0.1,
        "context_width": 4,
    }


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"num_classes": 1}, "num_classes"),
        ({"num_classes": 2, "width": 0}, "width"),
        ({"num_classes": 2, "context_width": 5}, "context_width"),
        (
            {"num_classes": 2, "classifier_activation": "sigmoid"},
            "classifier_activation",
        ),
    ],
)
def test_an_argument_out_of_range_is_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        dual_path_resnet(**arguments)


# One volume in, for one pass.


@pytest.mark.parametrize("context_width", [3, 4])
def test_single_input_crops_and_averages(randomize, context_width):
    model = randomize(
        dual_path_resnet(3, width=0.1, context_width=context_width), 4
    )
    volume = np.random.default_rng(1).normal(size=(1, 128, 128, 128, 1))
    volume = volume.astype("float32")
    context = np.empty((1, 32, 32, 32, 1), "float32")
    for i, j, k in np.ndindex(32, 32, 32):
        box = tuple(slice(4 * a, 4 * a + context_width) for a in (i, j, k))
        context[0, i, j, k, 0] = volume[(0, *box)].mean()
    image = volume[:, 46:-46, 46:-46, 46:-46]
    expected = evaluate(model, [image, context])
    result = evaluate(single_input(model, 8), volume)
    assert result == pytest.approx(expected, abs=1e-5)
