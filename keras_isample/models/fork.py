"""Maps that many layers read, with gradients added in a fixed order.

TensorFlow adds three or more gradients of one tensor in the order in which they
happen to be ready, and sums of floats depend on the order. A fork gives every
reader a tensor of its own and adds their gradients one after the other.
"""

import keras
from keras import layers
from keras import ops


def fork(x, count, name):
    """As many tensors as there are readers of `x`.

    Args:
        x: Keras tensor.
        count: Number of layers that will read it.
        name: Name of the layer.

    Returns:
        List of `count` Keras tensors. Up to two gradients have one sum, in any
        order, so that there `x` itself is returned.
    """
    if count <= 2:
        return [x] * count
    return Fork(count, name=name)(x)


@keras.saving.register_keras_serializable(package="keras_isample")
class Fork(layers.Layer):
    """The same tensor several times.

    On JAX and torch, which need no help, this is the input itself.

    Args:
        count: Number of outputs.

    Call arguments:
        inputs: A tensor.

    Returns:
        List of `count` tensors of the same shape and values.
    """

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return [inputs] * self.count

        @ops.custom_gradient
        def split(x):
            def gradient(*upstream):
                total = upstream[0]
                for part in upstream[1:]:
                    total = total + part
                return total

            return [ops.copy(x) for _ in range(self.count)], gradient

        return list(split(inputs))

    def compute_output_shape(self, input_shape):
        return [tuple(input_shape)] * self.count

    def get_config(self):
        return {**super().get_config(), "count": self.count}
