"""Calls a model on arrays of any size without compiling anew for each."""

import keras


def compiled(model):
    """A function of the inputs of a functional model.

    On TensorFlow one graph serves all sizes. On other backends this is
    `predict_on_batch`; JAX compiles for each new size.

    Args:
        model: A functional `keras.Model`.

    Returns:
        A function of one array per input that returns what the model does:
        arrays of the backend, or of NumPy.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda *inputs: model.predict_on_batch(
            list(inputs) if len(inputs) > 1 else inputs[0]
        )
    import tensorflow as tf

    signature = [
        tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs
    ]
    single = len(model.inputs) == 1

    # XLA would compile for each size, and is slow at convolutions on CPUs.
    @tf.function(input_signature=signature, jit_compile=False, autograph=False)
    def call(*inputs):
        return model(inputs[0] if single else list(inputs), training=False)

    return call
