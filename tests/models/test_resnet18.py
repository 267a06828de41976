"""ResNet18: published sizes, dilation, and weights from files."""

import keras
import numpy as np
import pytest

from keras_isample.models import deeplab_v3
from keras_isample.models import resnet18

WIDTH = 0.05


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def image(sides=(64, 32), channels=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(1, *sides, channels)).astype("float32")


def test_parameters_are_the_published_ones_without_the_classifier():
    assert trainable(resnet18()) == 11_689_512 - (512 * 1000 + 1000)


def test_sides_are_divided_by_32_and_rounded_up():
    model = resnet18(width=WIDTH)
    assert model(image((65, 32))).shape == (1, 3, 1, 26)


@pytest.mark.parametrize("output_stride", [16, 8])
def test_dilated_stages_compute_the_same_at_every_second_voxel(
    output_stride, randomize
):
    whole = randomize(resnet18(width=WIDTH))
    dilated = resnet18(width=WIDTH, output_stride=output_stride)
    dilated.set_weights(whole.get_weights())
    step = 32 // output_stride
    result = np.array(dilated(image()))
    assert result.shape == (1, 64 // output_stride, 32 // output_stride, 26)
    expected = np.array(whole(image()))
    assert result[:, ::step, ::step] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("output_stride", [4, 64])
def test_other_strides_are_refused(output_stride):
    with pytest.raises(ValueError, match=f"output_stride={output_stride}"):
        resnet18(output_stride=output_stride)


@pytest.fixture
def pretrained(randomize):
    return randomize(resnet18(width=WIDTH))


def save_torch(path, backbone):
    """As torchvision's state dict, with its classifier."""
    names = {
        "kernel": "weight",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    arrays = {"fc.weight": np.zeros((5, 26)), "fc.bias": np.zeros(5)}
    for layer in backbone.layers:
        for weight in layer.weights:
            value = np.array(weight)
            if value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
            key = f"{layer.name.replace('_', '.')}.{names[weight.name]}"
            arrays[key] = value
    np.savez(path, **arrays)
    return arrays


@pytest.mark.parametrize("ending", ["keras", "weights.h5", "npz"])
def test_weights_come_from_a_file(pretrained, ending, tmp_path):
    path = tmp_path / f"backbone.{ending}"
    if ending == "keras":
        pretrained.save(path)
    elif ending == "npz":
        save_torch(path, pretrained)
    else:
        pretrained.save_weights(path)
    again = resnet18(width=WIDTH, weights=path)
    assert np.array_equal(again(image()), pretrained(image()))
    # One channel: as if the same image were shown in all three.
    gray = resnet18(input_shape=(None, None, 1), width=WIDTH, weights=path)
    shown = image(channels=1)
    assert np.array(gray(shown)) == pytest.approx(
        np.array(pretrained(np.repeat(shown, 3, axis=-1))), rel=1e-3, abs=1e-4
    )
    network = deeplab_v3(2, width=WIDTH, weights=path)
    assert np.array_equal(
        network.get_layer("layer4_1_conv2").kernel,
        pretrained.get_layer("layer4_1_conv2").kernel,
    )


def test_names_and_layouts_are_torchvisions(pretrained, tmp_path):
    arrays = save_torch(tmp_path / "backbone.npz", pretrained)
    # Some of what torchvision's resnet18().state_dict() has.
    assert arrays["conv1.weight"].shape == (3, 3, 7, 7)
    assert arrays["layer1.0.bn2.running_var"].shape == (3,)
    assert arrays["layer2.0.downsample.0.weight"].shape == (6, 3, 1, 1)
    assert arrays["layer4.1.conv2.weight"].shape == (26, 26, 3, 3)
    assert "layer4.0.downsample.1.running_mean" in arrays
    assert len(arrays) == 20 * (1 + 4) + 2


def test_several_channels_share_the_kernel_evenly(pretrained, tmp_path):
    pretrained.save(tmp_path / "backbone.keras")
    model = resnet18(
        input_shape=(None, None, 2),
        width=WIDTH,
        weights=tmp_path / "backbone.keras",
    )
    kernel = np.array(model.get_layer("conv1").kernel)
    total = np.array(pretrained.get_layer("conv1").kernel).sum(axis=2)
    for channel in (0, 1):
        assert kernel[:, :, channel] == pytest.approx(total / 2, abs=1e-6)


def test_files_that_do_not_fit_are_refused(pretrained, tmp_path):
    with pytest.raises(ValueError, match="nothing is downloaded"):
        resnet18(weights="imagenet")
    (tmp_path / "net.pth").write_bytes(b"")
    with pytest.raises(ValueError, match=r"must end in .keras"):
        resnet18(width=WIDTH, weights=tmp_path / "net.pth")
    pretrained.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match="not the weights of this backbone"):
        resnet18(width=0.1, weights=tmp_path / "net.weights.h5")
    arrays = save_torch(tmp_path / "net.npz", pretrained)
    with pytest.raises(ValueError, match="Expected: .* width"):
        resnet18(width=0.1, weights=tmp_path / "net.npz")
    arrays.pop("layer3.0.bn1.bias")
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(ValueError, match=r"no array 'layer3\.0\.bn1\.bias'"):
        resnet18(width=WIDTH, weights=tmp_path / "net.npz")
    image = keras.Input((4,))
    keras.Model(image, image).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="no weights of layer 'conv1'"):
        resnet18(width=WIDTH, weights=tmp_path / "other.keras")


@pytest.mark.parametrize("ending", [".npz", ".h5", ".keras"])
def test_damaged_files_are_refused(tmp_path, ending):
    path = tmp_path / f"weights{ending}"
    path.write_bytes(b"PK\x03\x04 no such thing")
    with pytest.raises(ValueError, match=path.name):
        resnet18(width=0.1, weights=path)
