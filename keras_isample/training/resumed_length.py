"""How far a run has come that is to go on."""

from keras_isample.errors import InputError
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.state import load_progress


def refuse_shorter(config, folder):
    """Refuses to resume a run with fewer epochs than it has had.

    Args:
        config: The `Config` that it is to go on with.
        folder: Its `RunFolder`.

    Raises:
        InputError: If there are too few `epochs`.
    """
    if config.optimizer.is_auto:
        done = _of_population(folder)
    else:
        done = _of_run(folder)
    if config.training.epochs < done:
        raise InputError(
            "`epochs`",
            f"is {config.training.epochs}, and {folder.path} has had {done}",
            "Give a larger number, or remove it",
        )


def _of_run(folder):
    if not folder.state_file.exists():
        return 0
    return load_progress(folder.state_file)["epochs"]


def _of_population(folder):
    """Epochs of the periods that are over, and of the one under way."""
    number, done, first = 0, 0, {}
    if folder.autolr_file.exists():
        record = PopulationRecord.load(folder.autolr_file)
        number, done = len(record.periods), record.epochs_done()
        first = {k: start.first_epoch for k, start in enumerate(record.next)}
    under_way = [0]
    member = 0
    while (path := folder.member(number, member)).path.exists():
        under_way.append(_of_run(path) - first.get(member, 0))
        member += 1
    return done + max(under_way)
