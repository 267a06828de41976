"""Networks, their patches, and weights taken from another network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.inference.predictor import predictor_for
from keras_isample.models import DualPathGeometry
from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet
from keras_isample.models import with_geometry
from keras_isample.registries import NETWORKS
from keras_isample.sampling import ISample
from keras_isample.training.networks import make_geometry
from keras_isample.training.networks import make_network
from keras_isample.training.networks import take_weights


def config(**settings):
    return Config.from_settings("scans", {"width": 0.1, **settings})


@pytest.mark.parametrize(
    "settings, axis, network, rank",
    [
        ({}, None, "dual-path", 5),
        ({"network": "unet"}, None, "unet", 5),
        ({"network": "unet"}, 1, "unet", 4),
        ({"network": "unet3plus"}, 2, "unet3plus", 4),
        ({"network": "deeplab-v3"}, 2, "deeplab-v3", 4),
    ],
)
def test_networks_by_name(settings, axis, network, rank):
    model = make_network(config(**settings), 3, 2, axis)
    assert model.metadata["network"] == network
    assert model.metadata.get("axis") == axis
    assert len(model.inputs[0].shape) == rank
    assert model.inputs[0].shape[-1] == 2
    assert model.outputs[0].shape[-1] == 3


def test_weight_decay_reaches_the_kernels():
    def penalty(optimizer):
        settings = {"optimizer": optimizer, "weight_decay": 0.25}
        model = make_network(config(network="unet", **settings), 2, 1, 2)
        return float(sum(model.losses)) if model.losses else 0.0

    # Another start each time, so about the same sum of squares.
    assert penalty("adamw") == 0
    assert penalty("sgd") / penalty("adam") == pytest.approx(2, rel=0.2)


def test_geometries(make_case):
    cases = [
        make_case(np.zeros((6, 4, 3)), name="a"),
        make_case(np.zeros((5, 7, 2)), name="b"),
    ]

    def geometry(axis=None, **settings):
        given = config(**settings)
        return make_geometry(given, make_network(given, 2, 1, axis), cases)

    assert geometry() == DualPathGeometry(8)
    volumes = PlainGeometry(16, halo=51, multiple=8)
    assert geometry(network="unet", patch_size=16) == volumes
    slices = SliceGeometry(8, axis=2, multiple=8)
    assert geometry(axis=2, network="unet", patch_size=8) == slices
    whole = SliceGeometry((8, 8), axis=2, whole=True, multiple=8)
    assert geometry(axis=2, network="unet") == whole


def test_slices_of_one_size_are_no_whole_slices(make_case):
    image = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(2, 1, activation="softmax")(image)
    geometry = SliceGeometry(16, axis=1)
    model = with_geometry(keras.Model(image, x), geometry)
    cases = [make_case(np.zeros((24, 3, 20)))]
    found = make_geometry(config(network="unet"), model, cases)
    assert found == model.geometry and found.windows
    with pytest.raises(InputError, match="windows of 16 voxels"):
        make_geometry(config(network="unet", patch_size="full"), model, cases)


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_have_the_multiple_that_their_spec_says(network):
    spec = NETWORKS[network]
    for ndim in spec.dimensions:
        axis = 2 if ndim == 2 else None
        model = make_network(config(network=network), 2, 1, axis)
        assert model.geometry.multiple == spec.multiple


def test_a_whole_slice_is_trained_on_as_it_is_predicted(make_case, randomize):
    rng = np.random.default_rng(0)
    image = rng.integers(-900, 900, (13, 11, 2))
    case = make_case(rng.integers(0, 2, (13, 11, 2)), image)
    settings = config(network="unet")
    model = make_network(settings, 2, 1, 2)
    randomize(model)
    sampler = ISample(
        [case],
        geometry=make_geometry(settings, model, [case]),
        batch_size=2,
        sampling="uniform",
        augment=False,
    )
    slices, _ = next(iter(sampler.dataset(1)))
    order = [int(c[2]) for _, c, _ in sampler.centers(1)]
    seen = model(slices, training=False).numpy()
    (tile,) = [t for _, t in predictor_for(model).tiles(case.scan())]
    for patch, place in zip(seen, order, strict=True):
        assert np.allclose(patch[:13, :11], tile[:, :, place], atol=1e-5)


def weights_of(model, name):
    return [np.array(w) for w in model.get_layer(name).get_weights()]


def test_all_weights_are_taken_from_a_network_of_the_same_classes(randomize):
    model, trained = (unet(3, width=0.1) for _ in range(2))
    randomize(trained)
    assert "begins anew" not in take_weights(model, trained, "run")
    for mine, given in zip(model.weights, trained.weights, strict=True):
        assert np.array_equal(mine.numpy(), given.numpy())


@pytest.mark.parametrize(
    "make, last",
    [
        (lambda n: unet(n, width=0.1), "classifier"),
        (lambda n: dual_path_resnet(n, width=0.1), "fc2"),
    ],
)
def test_other_classes_renew_the_last_layer_only(make, last, randomize):
    model, trained = make(3), make(5)
    randomize(trained)
    before = weights_of(model, last)
    text = take_weights(model, trained, "run")
    assert text.endswith("the number of classes goes from 5 to 3")
    for mine, then in zip(weights_of(model, last), before, strict=True):
        assert np.array_equal(mine, then)
    for layer in model.layers:
        if layer.weights and layer.name != last:
            for mine, given in zip(
                layer.get_weights(),
                weights_of(trained, layer.name),
                strict=True,
            ):
                assert np.array_equal(mine, given)


@pytest.mark.parametrize(
    "trained",
    [
        lambda: unet(3, width=0.2),
        lambda: unet(3, width=0.1, input_shape=(None, None, 2)),
        lambda: dual_path_resnet(3, width=0.1),
    ],
)
def test_other_networks_are_refused(trained):
    with pytest.raises(InputError, match="`network`, `width` and `axis`"):
        take_weights(unet(3, width=0.1), trained(), "run")


def test_precision_without_pooling_of_volumes_is_refused():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("GPUs compute float16")
    settings = config(network="unet")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(InputError, match="^`mixed_precision`: float16 is"):
            make_network(settings, 2, 1, None)
        make_network(settings, 2, 1, 2)
    finally:
        keras.config.set_dtype_policy(policy)


def test_network_is_built_whatever_others_have_set_in_keras():
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_floatx("float64")
        model = make_network(config(network="unet"), 2, 3, None)
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
    assert model.inputs[0].shape[-1] == 3
    assert model.inputs[0].dtype == "float32"
    formats = {getattr(x, "data_format", "channels_last") for x in model.layers}
    assert formats == {"channels_last"}
