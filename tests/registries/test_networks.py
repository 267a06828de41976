"""Networks by name."""

import subprocess
import sys

import keras
import pytest

from keras_isample.models import PlainGeometry
from keras_isample.models import with_geometry
from keras_isample.registries import NETWORKS
from keras_isample.registries import register_network


def build(num_classes, *, input_shape, width, l2):
    image = keras.Input(input_shape)
    x = keras.layers.Conv3D(num_classes, 3, padding="same")(image)
    return with_geometry(
        keras.Model(image, x), PlainGeometry(8, halo=1), from_logits=True
    )


@pytest.fixture
def registered():
    register_network("one-layer", build, dimensions=(3,), patch_size=8)
    yield NETWORKS["one-layer"]
    NETWORKS.remove("one-layer")


def test_a_network_from_elsewhere_is_built_by_name(registered):
    shape = (None, None, None, 2)
    model = registered.build(3, shape, width=1.0, l2=0.0)
    assert model.output_shape[-1] == 3
    assert registered.sees_volumes_only


@pytest.mark.parametrize("name", NETWORKS)
def test_ours_are_built_with_the_same_arguments(name):
    spec = NETWORKS[name]
    for ndim in spec.dimensions:
        shape = ((None,) * ndim) + (2,)
        model = spec.build(3, shape, width=0.05, l2=0.25)
        assert model.metadata["network"] == name
        assert model.losses
        assert spec.patch_size % spec.multiple == 0


@pytest.mark.parametrize(
    "argument, value", [("dimensions", (1,)), ("multiple", 0), ("multiple", 7)]
)
def test_arguments_are_checked(argument, value):
    with pytest.raises(ValueError, match="Argument"):
        register_network("wrong", build, **{argument: value})
    assert "wrong" not in NETWORKS


def test_names_are_known_without_keras():
    code = (
        "import sys; import keras_isample.registries.networks as n; "
        "assert 'keras' not in sys.modules; print(list(n.NETWORKS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "dual-path" in done.stdout
