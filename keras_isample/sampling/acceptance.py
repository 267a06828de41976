"""Acceptance of a candidate: E(c) > U(0, 1) - epsilon (Algorithm 1)."""

LEVELS = 256
"""Error maps hold bytes; 255 means an error of 1."""


def accept(error, uniform, epsilon):
    """Whether a candidate center is accepted.

    Args:
        error: E(c) as stored, 0 to 255, any numeric tensor or array type that
            `uniform` can be compared with.
        uniform: Draws from U(0, 1), the 1 excluded.
        epsilon: Slack; 0 never accepts an error of 0, 1 accepts everything.

    Returns:
        Boolean tensor.
    """
    return error / (LEVELS - 1) > uniform - epsilon


def acceptance_probability(error, epsilon, minimum):
    """Probability `min(1, E + epsilon)` that `accept` holds.

    Args:
        error: E(c) as stored, 0 to 255.
        epsilon: Slack.
        minimum: Elementwise minimum, such as `numpy.minimum`.
    """
    return minimum(1.0, error / (LEVELS - 1) + epsilon)
