"""Weights of a pretrained backbone, from a local file."""

import os
import zipfile
from pathlib import Path

import numpy as np

from keras_isample.models.loading import load_keras_file

TORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What torch calls the variables of Keras."""


def load_backbone(model, path, build):
    """Gives the layers of a model the weights that a file has for them.

    Three kinds of file are read. None is ever fetched.

    - `.keras`: a whole backbone, saved by `model.save`.
    - `.weights.h5` (`model.save_weights`) and `.h5`: a backbone of this
      package, with the channels of `model` or three.
    - `.npz`: torchvision's names and layouts, one array each, as made by
      `np.savez(path, **{k: v.numpy() for k, v in net.state_dict().items()})`.
      `layer2.0.conv1.weight`, `(out, in, h, w)`, is the kernel of
      `layer2_0_conv1`; `weight`, `bias`, `running_mean` and `running_var` of a
      normalization are its gamma, beta and moving statistics. Names without a
      layer (`fc.weight`) are left out.

    Where the first convolution has other channels than the file's, it gets the
    file's kernel summed over channels and shared out evenly, which is as if the
    mean of the scan's channels were shown in each of the file's.

    Args:
        model: What contains the backbone's layers, or is the backbone.
        path: The file.
        build: Function of a number of channels that builds the backbone.

    Raises:
        ValueError: If the file has no such ending, does not exist, or lacks
            weights of these shapes.
    """
    path = Path(os.fspath(path))
    if not path.is_file():
        raise ValueError(
            "Argument `weights` must be a local file; nothing is downloaded. "
            f"Received: {str(path)!r}, which is none."
        )
    backbone = build(3)
    names = [layer.name for layer in backbone.layers if layer.weights]
    if path.suffix == ".npz":
        values = _torch_values(path, backbone)
    else:
        source = _keras_backbone(path, model, build)
        known = {layer.name: layer for layer in source.layers}
        values = {
            name: known[name].get_weights() for name in names if name in known
        }
    for name in names:
        if name not in values:
            raise ValueError(f"File {path} has no weights of layer {name!r}.")
        _assign(model.get_layer(name), values[name], path)


def _keras_backbone(path, model, build):
    if path.suffix == ".keras":
        return load_keras_file(path, compile=False)
    if path.suffix != ".h5":
        raise ValueError(
            "Argument `weights` must end in .keras, .weights.h5, .h5 or .npz. "
            f"Received: {str(path)!r}."
        )
    problems = []
    channels = model.get_layer("conv1").kernel.shape[-2]
    for count in dict.fromkeys([channels, 3]):
        backbone = build(count)
        try:
            backbone.load_weights(path)
        except (OSError, ValueError) as error:
            problems.append(str(error).splitlines()[0])
        else:
            return backbone
    raise ValueError(
        f"File {path} has not the weights of this backbone: "
        f"{' / '.join(problems)}"
    )


def _torch_values(path, backbone):
    """Arrays of each layer, in the order of its weights."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"File {path} cannot be read: {error}.") from error
    values = {}
    for layer in backbone.layers:
        # layer1_0_downsample_1 is layer1.0.downsample.1, and bn1 is bn1.
        keys = [
            f"{layer.name.replace('_', '.')}.{TORCH_NAMES[weight.name]}"
            for weight in layer.weights
        ]
        missing = [key for key in keys if key not in arrays]
        if missing:
            raise ValueError(f"File {path} has no array {missing[0]!r}.")
        if keys:
            values[layer.name] = [_from_torch(arrays[key]) for key in keys]
    return values


def _from_torch(array):
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _assign(layer, values, path):
    shapes = [tuple(weight.shape) for weight in layer.weights]
    if layer.name == "conv1" and len(values) == 1 and values[0].ndim == 4:
        values = [_with_channels(values[0], shapes[0][-2])]
    if [value.shape for value in values] != shapes:
        raise ValueError(
            f"File {path} has for layer {layer.name!r} shapes "
            f"{[value.shape for value in values]}. Expected: {shapes}. "
            "Build the network with the width that the file was made with."
        )
    layer.set_weights(values)


def _with_channels(kernel, channels):
    if kernel.shape[2] == channels:
        return kernel
    mean = kernel.sum(axis=2, keepdims=True) / channels
    return np.repeat(mean, channels, axis=2)
