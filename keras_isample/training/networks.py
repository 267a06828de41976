"""The network of a run, and what it sees around the center of a patch."""

import numpy as np

from keras_isample.errors import InputError
from keras_isample.models.deeplab_v3 import deeplab_v3
from keras_isample.models.dual_path import dual_path_resnet
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.patch_geometry import PlainGeometry
from keras_isample.models.patch_geometry import SliceGeometry
from keras_isample.models.unet import unet
from keras_isample.models.unet3plus import unet3plus
from keras_isample.sampling.slices import largest_slice
from keras_isample.training.optimizers import l2_factor

_PLAIN = {"unet": unet, "unet3plus": unet3plus, "deeplab-v3": deeplab_v3}


def make_network(config, num_classes, num_channels, axis):
    """The network that a configuration asks for.

    Args:
        config: The run's `Config`.
        num_classes: Number of classes including background.
        num_channels: Channels of the scans.
        axis: Axis that slices lie across, or `None` for volumes.

    Returns:
        A `SegmentationModel` with softmax.
    """
    settings, optimizer = config.network, config.optimizer
    options = {
        "width": settings.width,
        "l2": l2_factor(optimizer.optimizer, optimizer.weight_decay),
    }
    if settings.network == "dual-path":
        return dual_path_resnet(
            num_classes, num_channels=num_channels, **options
        )
    sides = (None,) * (3 if axis is None else 2)
    model = _PLAIN[settings.network](
        num_classes, input_shape=(*sides, num_channels), **options
    )
    if axis is not None:
        model.metadata["axis"] = axis
    return model


def make_geometry(config, cases, axis):
    """Sides and places of the inputs and of the labels.

    Args:
        config: The run's `Config`.
        cases: The `PreparedCase`s to train on.
        axis: Axis that slices lie across, or `None` for volumes.
    """
    side = config.network.side(axis)
    if config.network.network == "dual-path":
        return DualPathGeometry(side)
    if axis is None:
        return PlainGeometry(side)
    if side == "full":
        return SliceGeometry(largest_slice(cases, axis), axis, whole=True)
    return SliceGeometry(side, axis)


def take_weights(model, trained, source):
    """Gives a network the weights of another one, as far as they fit.

    Every layer but the last must have the same weights; the last one keeps
    its own if the numbers of classes differ.

    Args:
        model: What `make_network` returned.
        trained: A trained model.
        source: Where it comes from, for the messages.

    Returns:
        Line for the user on what was taken.

    Raises:
        InputError: If the networks differ in more than the last layer.
    """
    own = {layer.name: layer for layer in model.layers if layer.weights}
    given = {layer.name: layer for layer in trained.layers if layer.weights}
    last = [layer for layer in model.layers if layer.weights][-1].name
    renewed = []
    for name, layer in own.items():
        shapes = [tuple(weight.shape) for weight in layer.weights]
        there = given.get(name)
        if there is not None and shapes == [
            tuple(weight.shape) for weight in there.weights
        ]:
            continue
        if name != last or there is None:
            raise _other_network(source, model, trained, name)
        renewed.append(name)
    if len(given) != len(own):
        names = sorted(set(given) ^ set(own))
        raise _other_network(source, model, trained, names[0])
    for name, layer in own.items():
        if name in renewed:
            continue
        layer.set_weights([np.array(w) for w in given[name].get_weights()])
    if renewed:
        classes = trained.outputs[0].shape[-1], model.outputs[0].shape[-1]
        return (
            f"weights from {source}; the last layer begins anew, as the number "
            f"of classes goes from {classes[0]} to {classes[1]}"
        )
    return f"weights from {source}"


def _other_network(source, model, trained, name):
    facts = [
        ", ".join(
            f"{key} {(m.metadata or {}).get(key)}"
            for key in ("network", "width", "num_channels")
        )
        for m in (trained, model)
    ]
    return InputError(
        source,
        f"holds {facts[0]}, not {facts[1]} (layer {name} differs)",
        "Use its --network and --width, and scans with as many channels",
    )
