"""Copies of trained layers, for prediction, without normalization.

At inference batch normalization multiplies each map by `gamma / sqrt(variance +
epsilon)` and adds a constant. Both go into the kernel and the bias of the
convolution before it: the same values up to rounding, without two passes over
every map. Dropout is gone too.
"""

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_isample.models.layer_uses import layer_uses


class NotCopied(ValueError):
    """A layer from elsewhere says nothing that makes a copy of it."""


def folded_weights(convolution, normalization=None):
    """Kernel and bias of a convolution with its normalization in them.

    Args:
        convolution: A `Conv` or `Dense` layer.
        normalization: The `BatchNormalization` of its output, if any.

    Returns:
        float32 arrays `(*kernel_shape, maps)` and `(maps,)`.
    """
    kernel = _array(convolution.kernel)
    bias = (
        np.zeros(kernel.shape[-1])
        if convolution.bias is None
        else _array(convolution.bias)
    )
    if normalization is not None:
        variance = _array(normalization.moving_variance)
        scale = 1 / np.sqrt(variance + normalization.epsilon)
        if normalization.gamma is not None:
            scale = scale * _array(normalization.gamma)
        kernel = kernel * scale
        bias = (bias - _array(normalization.moving_mean)) * scale
        if normalization.beta is not None:
            bias = bias + _array(normalization.beta)
    return kernel.astype(np.float32), bias.astype(np.float32)


class FoldedNetwork:
    """A copy of a network whose normalizations are folded away.

    The copy has weights of its own; `update` brings them up to date, in place,
    so that what was compiled stays compiled.

    Args:
        inputs: Keras tensor or tensors where the network begins.
        outputs: Keras tensor or tensors where it ends.
        free_sides: Whether the copy takes images of any size even where
            `inputs`, one tensor, has fixed sides.

    Attributes:
        model: The copy, a functional `keras.Model`.
    """

    def __init__(self, inputs, outputs, *, free_sides=False):
        network = keras.Model(inputs, outputs)
        self._folded = _folded_pairs(network)
        removed = set(self._folded.values())
        copies = {}

        def copy(layer):
            copies[layer.name] = _copy(layer, layer.name in removed)
            return copies[layer.name]

        self.model = keras.models.clone_model(
            network,
            input_tensors=_free(inputs) if free_sides else None,
            clone_function=copy,
            call_function=_call,
        )
        self._layers = [
            (layer, copies[layer.name])
            for layer in network.layers
            if layer.weights and layer.name not in removed
        ]
        self._by_name = {layer.name: layer for layer in network.layers}

    def update(self):
        """Takes over the present weights of the trained layers."""
        for layer, copy in self._layers:
            if _is_convolution(layer):
                normalization = self._by_name.get(self._folded.get(layer.name))
                kernel, bias = folded_weights(layer, normalization)
                copy.kernel.assign(kernel)
                copy.bias.assign(bias)
            else:
                for source, target in zip(
                    layer.weights, copy.weights, strict=True
                ):
                    target.assign(source)


def _free(tensor):
    """An input like a tensor, of any size."""
    sides = (None,) * (len(tensor.shape) - 2)
    return keras.Input((*sides, tensor.shape[-1]), dtype=tensor.dtype)


def _folded_pairs(network):
    """Names of convolutions and of the normalizations that go into them."""
    shapes = [tensor.shape for tensor in network.inputs]
    makers, readers, count = {}, {}, {}
    uses = layer_uses(network, shapes, nested=False)
    for use in uses:
        count[use.operation.name] = count.get(use.operation.name, 0) + 1
        for tensor in use.outputs:
            makers[id(tensor)] = use.operation
        for tensor in use.inputs:
            readers.setdefault(id(tensor), []).append(use.operation.name)
    pairs = {}
    for use in uses:
        layer = use.operation
        if not isinstance(layer, layers.BatchNormalization):
            continue
        (tensor,) = use.inputs
        before = makers.get(id(tensor))
        if (
            before is not None
            and _is_convolution(before)
            and layer.axis in (-1, len(tensor.shape) - 1)
            and readers[id(tensor)] == [layer.name]
            and count[before.name] == count[layer.name] == 1
        ):
            pairs[before.name] = layer.name
    return pairs


def _is_convolution(layer):
    """Whether a layer is linear with a kernel that ends in its maps."""
    plain = getattr(layer, "activation", None) in (
        None,
        keras.activations.linear,
    )
    # A subclass may do something else with its kernel, or after it.
    return plain and any(
        isinstance(layer, kind) and type(layer).call is kind.call
        for kind in (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense)
    )


def _copy(layer, removed):
    if removed or isinstance(layer, layers.Dropout):
        return layers.Identity(name=layer.name, dtype=layer.dtype_policy)
    try:
        config = layer.get_config()
        if _is_convolution(layer):
            config["use_bias"] = True
            config["kernel_regularizer"] = None
        copy = type(layer).from_config(config)
    except (NotImplementedError, TypeError) as error:
        raise NotCopied(layer.name) from error
    copy.trainable = False
    return copy


def _call(layer, *args, **kwargs):
    if isinstance(layer, layers.Identity):
        return args[0]
    return layer(*args, **kwargs)


def _array(variable):
    return ops.convert_to_numpy(variable).astype(np.float64)
