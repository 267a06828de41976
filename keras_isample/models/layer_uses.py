"""The uses of a network's layers, one after the other, for given shapes.

What a network multiplies, and the memory that its maps take, are counted from
these. Nothing is computed.
"""

import dataclasses
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class LayerUse:
    """One use of a layer or of another Keras operation.

    Attributes:
        operation: The layer or operation.
        inputs: Its symbolic tensors, a list. Tensors are told apart by
            identity.
        outputs: Likewise.
    """

    operation: Any
    inputs: list
    outputs: list


def layer_uses(model, input_shapes, *, nested=True):
    """Follows tensors of some shapes through a network.

    Args:
        model: A built functional `keras.Model`, or a single layer.
        input_shapes: Shape of each input with its batch, a list of tuples.
        nested: Whether models inside of the model are followed; otherwise they
            are layers.

    Returns:
        List of `LayerUse`, in an order in which they can run. A layer that is
        used several times is there each time.
    """
    inputs = [keras.KerasTensor(tuple(shape)) for shape in input_shapes]
    found = []
    follow = _follow(model, found, nested, outermost=True)
    follow(inputs if len(inputs) > 1 else inputs[0])
    return found


def _follow(operation, found, nested, *, outermost=False):
    """A function of symbolic tensors that notes what they go through."""
    functional = getattr(operation, "_functional", operation)
    if (nested or outermost) and hasattr(functional, "_run_through_graph"):
        return lambda inputs, **options: functional._run_through_graph(
            inputs, operation_fn=lambda inner: _follow(inner, found, nested)
        )

    def run(*args, **kwargs):
        outputs = operation.compute_output_spec(*args, **kwargs)
        found.append(
            LayerUse(operation, _tensors((args, kwargs)), _tensors(outputs))
        )
        return outputs

    return run


def _tensors(structure):
    return [
        leaf
        for leaf in keras.tree.flatten(structure)
        if isinstance(leaf, keras.KerasTensor)
    ]
