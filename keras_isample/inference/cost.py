"""Multiplications of a network, counted from its layers and shapes alone.

What whole scans may cost beside the training is a share of the time, counted in
multiplications and not measured, so that a run stays a function of its seed.
Counted are kernels: a convolution or a dense layer multiplies its kernel once
at each position of its output, a transposed convolution at each position of its
input. A layer of another kind multiplies its weights at each position of its
output. Layers that scale, normalize or interpolate count nothing. Additions,
memory and the preparation of patches count nothing either.
"""

import math

from keras import layers

from keras_isample.models.layer_uses import layer_uses

TRAINING_PASSES = 3
"""A training step takes three forward passes: one forward, one for the
gradient of the maps and one for the gradient of the weights."""

_TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
_WITH_KERNELS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    *_TRANSPOSED,
    layers.Dense,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
)
_SCALING = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.UnitNormalization,
    layers.PReLU,
)


def multiplications(model, input_shapes):
    """Multiplications of one forward pass.

    Args:
        model: A built functional `keras.Model`, or a single layer.
        input_shapes: Shape of each input with its batch, a list of tuples; a
            layer that is used several times counts each time.

    Returns:
        int.
    """
    return sum(
        weights * math.prod(positions)
        for weights, positions in products(model, input_shapes)
    )


def products(model, input_shapes):
    """Weights that are multiplied, and where, for each use of a layer.

    Args:
        model: As of `multiplications`.
        input_shapes: As of `multiplications`.

    Returns:
        List of pairs: a number of weights, and the positions that each of
        them is multiplied at, as the sides of a box, the batch first.
    """
    found = []
    for use in layer_uses(model, input_shapes):
        weights = _weights(use.operation)
        if weights:
            transposed = isinstance(use.operation, _TRANSPOSED)
            tensor = (use.inputs if transposed else use.outputs)[0]
            found.append((weights, _positions(use.operation, tensor)))
    return found


def training_step(model, geometry, batch_size):
    """Multiplications of one training step.

    Args:
        model: The network.
        geometry: What it sees around a center, as of `ISample`.
        batch_size: Patches per step.

    Returns:
        int.
    """
    return TRAINING_PASSES * batch_pass(model, geometry, batch_size)


def batch_pass(model, geometry, batch_size):
    """Multiplications of one forward pass of a batch of patches.

    Arguments are those of `training_step`.
    """
    num_channels = model.inputs[0].shape[-1]
    shapes = geometry.input_shapes(num_channels, batch_size)
    return multiplications(model, shapes)


def allowed(training, share, *other_shares):
    """Multiplications that a share of the total time is.

    Training, error maps and validation are the total; what is not training has
    been given a share of it. So with the shares `m` of error maps and `v` of
    validation, maps may take `m / (1 - m - v)` times what training takes. A
    share counts as a whole even where less of it is used.

    Args:
        training: Multiplications of the training.
        share: Share that is asked about, in (0, 1).
        other_shares: What else has a share; `None` where there is no bound,
            which counts as 0.

    Returns:
        int.
    """
    rest = 1.0 - share - sum(other or 0.0 for other in other_shares)
    return int(training * share / rest)


def _weights(operation):
    """How many weights an operation multiplies at each position."""
    known = getattr(operation, "weights", None)
    if not known or isinstance(operation, _SCALING):
        return 0
    if isinstance(operation, _WITH_KERNELS):
        # The bias is added.
        known = [w for w in known if w.name.endswith("kernel")]
    return sum(math.prod(weight.shape) for weight in known)


def _positions(operation, tensor):
    first = getattr(operation, "data_format", None) == "channels_first"
    if first:
        return (tensor.shape[0], *tensor.shape[2:])
    return tuple(tensor.shape[:-1])
