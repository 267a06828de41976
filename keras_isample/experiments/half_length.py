"""The settings of a run that is planned for half the epochs of another."""

from keras_isample.errors import InputError


def half_length(config):
    """Epochs and schedule of half a run.

    With a rate that falls, a run is behind at half of its steps because its
    rate has not fallen yet. A run that is planned for half of them lowers its
    rate in time, and tells what half the steps are worth.

    Args:
        config: The `Config` of the whole run.

    Returns:
        Dictionary of settings: `epochs` and `lr_schedule`.

    Raises:
        InputError: If epochs cannot be halved.
    """
    kind, parameters = config.optimizer.schedule
    lr_schedule = config.optimizer.lr_schedule
    if kind == "replay" or config.optimizer.is_auto:
        raise InputError(
            "--half", "needs a schedule set by hand", "Leave it away"
        )
    if kind == "step":
        every, _ = parameters
        factor = lr_schedule.rpartition(":")[-1]
        lr_schedule = f"step:{_half(every, '--lr-schedule')}:{factor}"
    return {
        "epochs": _half(config.training.epochs, "--epochs"),
        "lr_schedule": lr_schedule,
    }


def _half(epochs, source):
    if epochs % 2:
        raise InputError(
            source,
            f"has {epochs} epochs, which cannot be halved",
            "Use an even number, or leave --half away",
        )
    return epochs // 2
