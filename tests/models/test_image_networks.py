"""What the networks of one image have in common."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_isample.models import SegmentationModel
from keras_isample.models import deeplab_v3
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.models.deep_supervision import DeeplySupervisedModel

SMALL = {"filters": (2, 3, 4)}
SMALL_PLUS = {"filters": (2, 3, 4), "skip_filters": 2}


def unet_2d(**options):
    return unet(3, **{**SMALL, **options})


def unet_3d(**options):
    return unet(3, **{"input_shape": (None, None, None, 2), **SMALL, **options})


def unet3plus_2d(**options):
    return unet3plus(3, **{**SMALL_PLUS, **options})


def unet3plus_3d(**options):
    shape = (None, None, None, 1)
    return unet3plus(3, **{"input_shape": shape, **SMALL_PLUS, **options})


def deeplab(**options):
    return deeplab_v3(3, **{"width": 0.05, **options})


BUILDERS = [unet_2d, unet_3d, unet3plus_2d, unet3plus_3d, deeplab]
MULTIPLES = [4, 4, 4, 4, 16]


def image_of(model, sides=(9, 6, 5), batch=2):
    rng = np.random.default_rng(0)
    sides = sides[: model.metadata["ndim"]]
    shape = (batch, *sides, model.metadata["num_channels"])
    return rng.normal(size=shape).astype("float32")


@pytest.mark.parametrize("build", BUILDERS)
def test_output_has_the_size_of_any_image(build):
    model = build()
    image = image_of(model)
    result = np.array(model(image))
    assert result.shape == (*image.shape[:-1], 3)
    assert result.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    # In a graph, where sizes are not known when it is made, too.
    run = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec(model.inputs[0].shape)],
        autograph=False,
    )
    assert run(image).numpy() == pytest.approx(result, abs=1e-5)


@pytest.mark.parametrize(
    "build, multiple", list(zip(BUILDERS, MULTIPLES, strict=True))
)
def test_sides_are_padded_with_zeros_at_the_end(build, multiple, randomize):
    model = randomize(build(classifier_activation=None))
    image = image_of(model, (multiple + 1, multiple, multiple + 3))
    after = [(0, -n % multiple) for n in image.shape[1:-1]]
    padded = np.pad(image, [(0, 0), *after, (0, 0)])
    expected = np.array(model(padded))
    inside = tuple(slice(n) for n in image.shape[1:-1])
    expected = expected[(slice(None), *inside)]
    assert np.array(model(image)) == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(
    "build, multiple", list(zip(BUILDERS, MULTIPLES, strict=True))
)
def test_metadata_tells_what_prediction_needs(build, multiple):
    model = build(width=0.5)
    channels = model.inputs[0].shape[-1]
    assert model.metadata == {
        "network": {
            unet_2d: "unet",
            unet_3d: "unet",
            unet3plus_2d: "unet3plus",
            unet3plus_3d: "unet3plus",
            deeplab: "deeplab-v3",
        }[build],
        "num_classes": 3,
        "num_channels": channels,
        "width": 0.5,
        "ndim": 3 if "3d" in build.__name__ else 2,
        "multiple": multiple,
        "halo": {
            unet_2d: 7 * multiple - 5,
            unet_3d: 7 * multiple - 5,
            unet3plus_2d: 8 * multiple - 5,
            unet3plus_3d: 8 * multiple - 5,
            deeplab: None,
        }[build],
    }


@pytest.mark.parametrize("build", BUILDERS)
def test_a_saved_model_loads_and_predicts_the_same(build, tmp_path, randomize):
    model = randomize(build())
    model.metadata["axis"] = 1
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is SegmentationModel
    assert again.metadata == model.metadata
    image = image_of(model)
    assert np.array_equal(again(image), model(image))


@pytest.mark.parametrize("build", BUILDERS)
def test_probabilities_are_float32_under_mixed_precision(build):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    result = np.array(model(image_of(model)))
    assert result.dtype == np.float32
    assert result.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    assert model.get_layer("classifier").compute_dtype == "bfloat16"


@pytest.mark.parametrize("build", BUILDERS)
def test_every_weight_gets_a_gradient(build):
    keras.utils.set_random_seed(0)
    model = build()
    image = image_of(model, (18, 17, 9))
    with tf.GradientTape() as tape:
        result = model(image, training=True)
        loss = -tf.reduce_mean(tf.math.log(result[..., 0]))
    gradients = tape.gradient(loss, model.trainable_variables)
    for weight, gradient in zip(
        model.trainable_variables, gradients, strict=True
    ):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.any(gradient != 0), weight.path


@pytest.mark.parametrize("build", [unet_2d, unet3plus_2d, deeplab])
def test_fixed_sides_that_fit_need_no_padding(build):
    names = {x.name for x in build(input_shape=(32, 48, 1)).layers}
    assert not names & {"pad_sides", "crop_sides"}
    names = {x.name for x in build(input_shape=(32, 47, 1)).layers}
    assert {"pad_sides", "crop_sides"} <= names


@pytest.mark.parametrize("build", BUILDERS)
def test_logits_on_request(build, randomize):
    model = randomize(build())
    logits = randomize(build(classifier_activation=None))
    image = image_of(model)
    expected = keras.ops.softmax(logits(image))
    assert np.array(model(image)) == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize("build", BUILDERS)
def test_penalties_are_on_all_kernels_but_the_last(build):
    model = build(l2=0.5)
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    last = model.get_layer("classifier").kernel
    expected = sum(
        0.5 * float((np.array(w) ** 2).sum()) for w in kernels if w is not last
    )
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)
    assert build(l2=0).losses == []


@pytest.mark.parametrize("build", [unet, unet3plus, deeplab_v3])
@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_classes": 2, "width": 0}, "width=0"),
        ({"num_classes": 2, "input_shape": (8, 1)}, "`input_shape` must be"),
        ({"num_classes": 2, "input_shape": (8, 8, None)}, "not the channels"),
        (
            {"num_classes": 2, "classifier_activation": "relu"},
            "`classifier_activation` must be",
        ),
    ],
)
def test_wrong_arguments_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


# Deep supervision.


def supervised(**options):
    return unet3plus_2d(deep_supervision=True, **options)


def test_every_output_learns_the_same_labels():
    keras.utils.set_random_seed(0)
    model = supervised(l2=0)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    image = image_of(model)
    labels = np.random.default_rng(0).integers(0, 3, image.shape[:-1])
    weights = np.ones_like(labels, dtype="float32")
    logs = model.evaluate(image, labels, verbose=0, return_dict=True)
    crossentropy = keras.losses.SparseCategoricalCrossentropy()
    outputs = model.predict_on_batch(image)
    expected = [float(crossentropy(labels, output)) for output in outputs]
    assert len(expected) == 3
    assert logs["loss"] == pytest.approx(sum(expected), rel=1e-5)
    assert logs["probabilities_loss"] == pytest.approx(expected[0], rel=1e-5)
    with_weights = model.evaluate(
        image, labels, sample_weight=2 * weights, verbose=0, return_dict=True
    )
    assert with_weights["loss"] == pytest.approx(2 * sum(expected), rel=1e-5)


def test_losses_of_the_outputs_can_be_weighed():
    model = supervised(l2=0)
    loss = keras.losses.SparseCategoricalCrossentropy
    model.compile("sgd", [loss()] * 3, loss_weights=[1.0, 0.5, 0.0])
    image = image_of(model)
    labels = np.zeros(image.shape[:-1], int)
    logs = model.evaluate(image, labels, verbose=0, return_dict=True)
    outputs = model.predict_on_batch(image)
    first, second, _ = (float(loss()(labels, output)) for output in outputs)
    assert logs["loss"] == pytest.approx(first + second / 2, rel=1e-5)


def test_metrics_see_the_first_output():
    model = supervised()
    model.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    image = image_of(model)
    first = model.predict_on_batch(image)[0]
    logs = model.evaluate(
        image, first.argmax(axis=-1), verbose=0, return_dict=True
    )
    assert logs["accuracy"] == pytest.approx(1)


def test_a_supervised_model_loads_as_one(tmp_path):
    model = supervised()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is DeeplySupervisedModel
    assert again.metadata == model.metadata
    for one, other in zip(
        again(image_of(model)), model(image_of(model)), strict=True
    ):
        assert np.array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("build", [supervised, deeplab])
def test_two_trainings_are_the_same_bit_for_bit(build):
    def train():
        keras.utils.set_random_seed(0)
        model = build()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy())
        image = image_of(model, (36, 33))
        labels = np.random.default_rng(0).integers(0, 3, image.shape[:-1])
        model.fit(image, labels, epochs=3, batch_size=2, verbose=0)
        return model.get_weights()

    for one, other in zip(train(), train(), strict=True):
        assert np.array_equal(one, other)
