"""How many bytes a network's maps take that are alive at the same time."""

import math

from keras import layers

from keras_isample.models.fork import Fork
from keras_isample.models.layer_uses import layer_uses
from keras_isample.models.sides import CropSides
from keras_isample.models.sides import PadSides

_IN_PLACE = (
    layers.Activation,
    layers.BatchNormalization,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Softmax,
)
"""Layers that write their output over their input."""

_SHARED = (CropSides, PadSides, Fork, layers.Identity)
"""Layers whose output is their input, or nearly."""

_SIDE = 128
"""Least side of the image that is counted: its deepest maps are no single
values, and what layers put around it hardly counts."""


def bytes_per_voxel(model, multiple=1):
    """Bytes that are alive at once, at most, for each voxel of the image.

    Args:
        model: A functional model of one image of any size.
        multiple: What the sides of its image are multiples of.

    Returns:
        float. Maps are counted from the layer that makes them to the last one
        that reads them; activations work in place. Maps of single values, not
        of the image's extent, count nothing. Layers of unknown kinds are taken
        to need no more than what they read and write.
    """
    *_, channels = model.inputs[0].shape
    side = -(-max(_SIDE, 4 * multiple) // multiple) * multiple
    sides = (side,) * (len(model.inputs[0].shape) - 2)
    uses = _depth_first(layer_uses(model, [(1, *sides, channels)]))
    last = {}
    for index, use in enumerate(uses):
        for tensor in use.inputs:
            last[id(tensor)] = index
    # Nothing reads the outputs of the network, which stay until the end.
    read = set(last)
    for use in uses:
        for tensor in use.outputs:
            if id(tensor) not in read:
                last[id(tensor)] = len(uses)
    alive, most = {}, 0.0
    made = {id(tensor) for use in uses for tensor in use.outputs}
    for use in uses:
        for image in use.inputs:
            if id(image) not in made:
                alive[id(image)] = (last[id(image)], _bytes(image))
    for index, use in enumerate(uses):
        shared = isinstance(use.operation, _SHARED) and use.inputs
        for tensor in use.outputs:
            size = 0 if shared else _bytes(tensor)
            alive[id(tensor)] = (last[id(tensor)], size)
        if shared:
            # The outputs are the input: it lives as long as they do.
            end = max(last[id(tensor)] for tensor in use.outputs)
            held = id(use.inputs[0])
            until, size = alive[held]
            alive[held] = (max(end, until), size)
        if isinstance(use.operation, _IN_PLACE):
            alive = {k: v for k, v in alive.items() if v[0] > index}
        most = max(most, sum(size for _, size in alive.values()))
        alive = {k: v for k, v in alive.items() if v[0] > index}
    return most / math.prod(sides)


def _depth_first(uses):
    """Uses in the order in which few maps wait for the others."""
    makers = {id(tensor): use for use in uses for tensor in use.outputs}
    read = {id(tensor) for use in uses for tensor in use.inputs}
    ends = [u for u in uses if not any(id(t) in read for t in u.outputs)]
    opened, ordered = set(), {}
    waiting = ends[::-1]
    while waiting:
        use = waiting[-1]
        if id(use) in opened:
            ordered.setdefault(id(waiting.pop()), use)
            continue
        opened.add(id(use))
        before = [makers.get(id(tensor)) for tensor in use.inputs[::-1]]
        waiting += [u for u in before if u is not None and id(u) not in opened]
    return list(ordered.values())


def _bytes(tensor):
    itemsize = 2 if "16" in str(tensor.dtype) else 4
    if len(tensor.shape) < 3 or set(tensor.shape[1:-1]) == {1}:
        return 0
    return itemsize * math.prod(tensor.shape)
