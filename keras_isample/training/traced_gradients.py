"""Frees the graphs that TensorFlow keeps for gradients that are written out."""

import contextlib

import keras


@contextlib.contextmanager
def forgotten_afterwards():
    """Within, gradients may be traced; afterwards nothing keeps their graphs.

    `tf.custom_gradient` registers each gradient that it traces under a name of
    its own, for ever, and with it the graph of the whole training step: some
    50 MB for each model that is trained in a process. The names are needed
    while a function is traced, and are not needed to run it.
    """
    registered = _registered()
    before = set(registered)
    try:
        yield
    finally:
        for name in set(registered) - before:
            if name.startswith("CustomGradient-"):
                del registered[name]


def _registered():
    """Name to gradient function; empty where TensorFlow keeps none there."""
    if keras.backend.backend() != "tensorflow":
        return {}
    try:
        from tensorflow.python.framework import ops

        return ops.gradient_registry._registry
    except (ImportError, AttributeError):
        return {}
