"""What a network of "same" convolutions sees and holds, from its layers.

A voxel of maps at stride `s` lies at every `s`-th voxel of the image. Followed
from layer to layer, that gives how far around a voxel the network sees, so that
tiles get the halo that makes them equal to one pass, and how many bytes the
maps take that are alive at the same time.
"""

from dataclasses import dataclass

import numpy as np
from keras import layers

from keras_isample.models.fork import Fork
from keras_isample.models.sides import CropSides
from keras_isample.models.sides import PadSides
from keras_isample.models.upsampling import LinearUpsampling

_VOXELWISE = (
    layers.Activation,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Dropout,
    layers.Identity,
    layers.InputLayer,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Softmax,
    Fork,
)
_IN_PLACE = (
    layers.Activation,
    layers.BatchNormalization,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Softmax,
)
_SIDES = (CropSides, PadSides)


@dataclass(frozen=True)
class _View:
    """Where maps lie: voxel `i` sees `[s i - before, s i + after]`."""

    stride: float
    before: float
    after: float


def reach(model):
    """How far around a voxel the network sees.

    Args:
        model: A functional model of one image whose sides are multiples of what
            its poolings need.

    Returns:
        Pair of integers: voxels before and after, along each axis.

    Raises:
        ValueError: If there is a layer whose reach is not known.
    """
    views = {}
    for layer, inputs, outputs in _steps(model):
        view = _merged([views[id(tensor)] for tensor in inputs])
        for tensor in outputs:
            views[id(tensor)] = _after(layer, view)
    ends = [views[id(tensor)] for tensor in model.outputs]
    return (
        int(np.ceil(max(view.before for view in ends))),
        int(np.ceil(max(view.after for view in ends))),
    )


def bytes_per_voxel(model):
    """Bytes that are alive at once, at most, for each voxel of the image.

    Args:
        model: A functional model of one image.

    Returns:
        float. Maps are counted from the layer that makes them to the last one
        that reads them; activations work in place. Maps of single values, not
        of the image's extent, count nothing.
    """
    steps = list(_steps(model))
    last = {id(tensor): len(steps) for tensor in model.outputs}
    for index, (_, inputs, _) in enumerate(steps):
        for tensor in inputs:
            last[id(tensor)] = max(last.get(id(tensor), 0), index)
    strides, alive, most = {}, {}, 0.0
    for index, (layer, inputs, outputs) in enumerate(steps):
        stride = max((strides[id(t)] for t in inputs), default=1.0)
        stride = _stride(layer, stride)
        shared = isinstance(layer, (*_SIDES, Fork, layers.Identity))
        for tensor in outputs:
            strides[id(tensor)] = stride
            size = 0.0 if shared else _bytes(tensor, stride)
            alive[id(tensor)] = (last.get(id(tensor), index), size)
        if shared:
            # The outputs are the input: it lives as long as they do.
            end = max(last.get(id(t), index) for t in outputs)
            held = id(inputs[0])
            alive[held] = (max(end, alive[held][0]), alive[held][1])
        if isinstance(layer, _IN_PLACE):
            alive = {k: v for k, v in alive.items() if v[0] > index}
        most = max(most, sum(size for _, size in alive.values()))
        alive = {k: v for k, v in alive.items() if v[0] > index}
    return most


def _steps(model):
    """Layers in an order in which they can run.

    Yields:
        Triples of a layer, its input tensors and its output tensors.
    """
    done = set()

    def visit(tensor):
        layer, index, _ = tensor._keras_history
        node = layer._inbound_nodes[index]
        if id(node) in done:
            return
        done.add(id(node))
        for before in node.input_tensors:
            yield from visit(before)
        yield layer, node.input_tensors, node.output_tensors

    for output in model.outputs:
        yield from visit(output)


def _merged(views):
    if not views:
        return _View(1, 0, 0)
    return _View(
        max(view.stride for view in views),
        max(view.before for view in views),
        max(view.after for view in views),
    )


def _after(layer, view):
    """What a voxel of the output sees, given what one of the input sees."""
    if isinstance(layer, _VOXELWISE):
        return view
    if isinstance(layer, _SIDES):
        return _View(1, view.before, view.after)
    stride = _stride(layer, view.stride)
    before, after = _around(layer)
    # In voxels of the finer one of input and output.
    unit = min(stride, view.stride)
    return _View(stride, view.before + unit * before, view.after + unit * after)


def _around(layer):
    """Voxels before and after that a layer adds to what is seen."""
    if isinstance(layer, layers.Conv2D | layers.Conv3D):
        keeps = layer.padding == "same" or set(layer.kernel_size) == {1}
        if keeps and set(layer.strides) == {1}:
            spans = [
                (size - 1) * rate
                for size, rate in zip(
                    layer.kernel_size, layer.dilation_rate, strict=True
                )
            ]
            return max(n // 2 for n in spans), max(n - n // 2 for n in spans)
    elif isinstance(layer, layers.MaxPooling2D | layers.MaxPooling3D):
        if tuple(layer.strides) == tuple(layer.pool_size):
            return 0, layer.pool_size[0] - 1
    elif _is_transposed(layer):
        if tuple(layer.strides) == tuple(layer.kernel_size):
            return layer.strides[0] - 1, 0
    elif isinstance(layer, LinearUpsampling):
        # Voxel 0 of each `factor` reads one before it, the middle one after.
        return 3 * layer.factor // 2 - 1, layer.factor // 2
    raise ValueError(
        "The model must be made of what `keras_isample.models` builds U-Nets "
        f"from. Received: layer {layer.name!r} of class "
        f"{type(layer).__name__}."
    )


def _stride(layer, stride):
    if isinstance(layer, layers.MaxPooling2D | layers.MaxPooling3D):
        return stride * layer.strides[0]
    if _is_transposed(layer):
        return stride / layer.strides[0]
    if isinstance(layer, LinearUpsampling):
        return stride / layer.factor
    if isinstance(layer, layers.Conv2D | layers.Conv3D):
        return stride * layer.strides[0]
    if isinstance(layer, CropSides):
        return 1.0
    return stride


def _is_transposed(layer):
    return isinstance(layer, layers.Conv2DTranspose | layers.Conv3DTranspose)


def _bytes(tensor, stride):
    itemsize = 2 if "16" in str(tensor.dtype) else 4
    if len(tensor.shape) < 3 or set(tensor.shape[1:-1]) == {1}:
        return 0.0
    return itemsize * tensor.shape[-1] / stride ** (len(tensor.shape) - 2)
