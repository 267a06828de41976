"""The papers' optimizer, and the two that others start with."""

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


def make_optimizer(name, learning_rate, weight_decay):
    """The optimizer of a run.

    Args:
        name: `"sgd"` or `"adam"`, whose weight decay is an L2 term in the
            loss, or `"adamw"`, where it is decoupled from the gradient.
        learning_rate: Rate after warm-up.
        weight_decay: Used by `"adamw"` only, on kernels.

    Raises:
        ValueError: If `name` is unknown.
    """
    if name == "sgd":
        return sgd(learning_rate)
    if name == "adam":
        return keras.optimizers.Adam(learning_rate, name="adam")
    if name == "adamw":
        optimizer = keras.optimizers.AdamW(
            learning_rate, weight_decay=weight_decay, name="adamw"
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    raise ValueError(
        'Argument `name` must be "sgd", "adam" or "adamw". '
        f"Received: name={name!r}."
    )


def decays_in_loss(name):
    """Whether weight decay is an L2 term in the loss."""
    return name != "adamw"
