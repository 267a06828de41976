"""The network of a run, and what it sees around the center of a patch."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from keras_isample.errors import InputError
from keras_isample.inference.predictor import check_scan
from keras_isample.inference.tile_memory import TileMemoryError
from keras_isample.models.keras_settings import set_keras
from keras_isample.models.segmentation_model import geometry_of
from keras_isample.registries import NETWORKS
from keras_isample.sampling.slices import largest_slice
from keras_isample.training.optimizers import l2_factor


def make_network(config, num_classes, num_channels, axis):
    """The network that a configuration asks for.

    Args:
        config: The run's `Config`.
        num_classes: Number of classes including background.
        num_channels: Channels of the scans.
        axis: Axis that slices lie across, or `None` for volumes.

    Returns:
        A `SegmentationModel` with softmax.

    Raises:
        InputError: If the device does not compute in the global policy.
    """
    set_keras()
    settings, optimizer = config.network, config.optimizer
    sides = (None,) * (3 if axis is None else 2)
    spec = NETWORKS[settings.network]
    model = spec.build(
        num_classes,
        (*sides, num_channels),
        width=settings.width,
        l2=l2_factor(optimizer.optimizer, optimizer.weight_decay),
    )
    multiple, expected = geometry_of(model).multiple, spec.multiple
    if multiple != expected:
        raise ValueError(
            f"The network {settings.network} was registered with "
            f"multiple={expected}, and its geometry has multiple={multiple}. "
            "Use the same."
        )
    _check_precision(model)
    if axis is not None:
        model.metadata["axis"] = axis
    return model


def _check_precision(model):
    """Refuses a type that the device has no pooling for.

    Of the layers in use, TensorFlow lacks that of volumes in float16 on CPUs.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.MaxPooling3D):
            shape = (1, *layer.pool_size, 1)
            try:
                tf.nn.max_pool3d(
                    tf.zeros(shape, layer.compute_dtype),
                    layer.pool_size,
                    layer.strides,
                    "VALID",
                )
            except tf.errors.OpError as error:
                raise InputError(
                    "`mixed_precision`",
                    f"{layer.compute_dtype} is not computed by this device "
                    "(there is no pooling of volumes)",
                    "Use none or bfloat16, or another `network`",
                ) from error
            return


def make_geometry(config, model, cases):
    """The geometry of the patches that a network is trained with.

    Args:
        config: The run's `Config`.
        model: What `make_network` returned.
        cases: The `PreparedCase`s to train on.

    Returns:
        The model's `Geometry`, with the patch size of the configuration.

    Raises:
        InputError: If whole slices are asked for, and it sees windows.
    """
    geometry = geometry_of(model)
    side = config.network.side(geometry.axis)
    if side != "full":
        if geometry.windows:
            # Windows are as large as the patches that it was trained with.
            model.metadata["patch_size"] = side
        return geometry.with_patch_size(side)
    if geometry.windows:
        # Of slices, too, it takes one size.
        if config.network.patch_size == "full":
            raise InputError(
                "`patch_size`",
                "is full, but the network sees slices in windows of "
                f"{geometry.patch_size} voxels",
                "Remove it",
            )
        return geometry
    # Filled up by the reader as in prediction, not by the network.
    multiple = geometry.multiple
    sides = tuple(
        -(-side // multiple) * multiple
        for side in largest_slice(cases, geometry.axis)
    )
    return replace(geometry, patch_size=sides, whole=True)


def check_memory(config, model, cases):
    """Refuses scans that the network cannot predict within its tile memory.

    Args:
        config: The run's `Config`.
        model: What `make_network` returned.
        cases: `PreparedCase`s.

    Raises:
        InputError: If there is one.
    """
    shapes = [case.shape for case in cases]
    if not shapes:
        return
    largest = max(shapes, key=np.prod)
    try:
        check_scan(model, largest, config.training.tile_bytes)
    except TileMemoryError as error:
        raise too_little_memory(error) from error


def too_little_memory(error):
    """The `InputError` for a `TileMemoryError`."""
    least = -(-error.least // 10**8) / 10
    return InputError(
        "`tile_memory`",
        f"does not allow the smallest tile of this network ({least:g} GB)",
        f"Use {least:g}GB or more, or train a network of a smaller `width`",
    )


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
    return describe_origin(model.metadata, trained.metadata, source)


def describe_origin(metadata, trained, source):
    """Line for the user on the weights that a network is given.

    Args:
        metadata: Of the network.
        trained: Of the trained model.
        source: Where that comes from.
    """
    own, given = metadata["num_classes"], trained["num_classes"]
    text = f"weights from {source}"
    renewed = own != given
    if renewed:
        text += (
            "; the last layer begins anew, as the number of classes goes from "
            f"{given} to {own}"
        )
    own, given = (
        {**(facts.get("preprocessing") or {}), "axis": facts.get("axis")}
        for facts in (metadata, trained)
    )
    for name in ("class_names", "spacing", "intensity", "axis"):
        if name == "class_names" and renewed:
            continue
        if own.get(name) != given.get(name):
            shown = name.replace("_", " ")
            text += f"; {shown} was {given.get(name)}, is {own.get(name)}"
    return text


def _other_network(source, model, trained, name):
    facts = [
        ", ".join(
            f"{key} {(m.metadata or {}).get(key)}"
            for key in ("network", "ndim", "width", "num_channels")
        )
        for m in (trained, model)
    ]
    return InputError(
        source,
        f"holds {facts[0]}, not {facts[1]} (layer {name} differs)",
        "Use its `network`, `width` and `axis`, on as many channels",
    )
