"""The settings of a run that is planned for half the epochs of another."""

from keras_isample.errors import InputError


def half_length(config):
    """Epochs and schedule of half a run.

    With a rate that falls, a run is behind at half of its steps because its
    rate has not fallen yet. A run that is planned for half of them lowers its
    rate in time, and tells what half the steps are worth. Where rate and loss
    do not change it is the first half of the whole run, and tells the test
    Dice there.

    Args:
        config: The `Config` of the whole run.

    Returns:
        Dictionary of settings: `epochs`, `lr_schedule`, and `loss_schedule` if
        there is one. The warm-up stays as it is.

    Raises:
        InputError: If the rate is found by AutoLR or replayed, or if epochs
            cannot be halved.
    """
    kind, parameters = config.optimizer.schedule
    if kind == "replay" or config.optimizer.is_auto:
        raise InputError(
            "`half`",
            "needs a rate that can be planned for half the epochs",
            "Give `learning_rate` a number, without replay",
        )
    found = {
        "epochs": _half(config.training.epochs, "`epochs`"),
        "lr_schedule": config.optimizer.lr_schedule,
    }
    if kind == "step":
        every, factor = parameters
        every = _half(every, "`lr_schedule`")
        found["lr_schedule"] = ("step", every, factor)
    if config.loss.loss_schedule:
        found["loss_schedule"] = tuple(
            (name, _half(start, "`loss_schedule`"))
            for name, start in config.loss.stages(config.training.epochs)
        )
    return found


def _half(epochs, source):
    if epochs % 2:
        raise InputError(
            source,
            f"has {epochs} epochs, which `half` cannot halve",
            "Use an even number, or leave `half` away",
        )
    return epochs // 2
