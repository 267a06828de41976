"""The papers' optimizer."""

import keras

MOMENTUM = 0.8
"""Nesterov momentum of the isample papers."""


def sgd(learning_rate):
    """SGD with Nesterov momentum 0.8 and no clipping, as in the papers.

    Args:
        learning_rate: Rate after warm-up.
    """
    return keras.optimizers.SGD(
        learning_rate, momentum=MOMENTUM, nesterov=True, name="sgd"
    )
