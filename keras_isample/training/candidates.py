"""The models of the best estimates, and the choice among them.

An estimate of the validation Dice may be wrong by more than what sets the best
models apart. So these are kept, and at the end of the run they predict whole
scans. A run that was killed in between goes on with what is left; one that is
made longer keeps them, as its further epochs may be worse.
"""

import shutil

from keras_isample.callbacks.validation_plan import ESTIMATE
from keras_isample.callbacks.validation_plan import SCORE
from keras_isample.models.loading import load_model
from keras_isample.training.history import best_epochs
from keras_isample.training.history import write_history
from keras_isample.training.state import replace_progress
from keras_isample.volumes.files import written_whole


def candidate_epochs(rows, count):
    """Epochs whose models are kept, from 1: the best by each of both scores.

    Args:
        rows: The history, one dictionary an epoch.
        count: How many of the best estimates; none if 0.
    """
    if not count:
        return []
    return [
        *best_epochs(rows, ESTIMATE, count),
        *best_epochs(rows, SCORE, 1),
    ]


def choose_candidate(
    folder, rows, count, model, validation, label_names, say=lambda text: None
):
    """Makes the best candidate the model of a run that is over.

    What whole scans give goes into the history and the state, candidate by
    candidate.

    Args:
        folder: The `RunFolder`.
        rows: Its history, which is added to.
        count: Candidates that are validated, those of the best estimates.
        model: A model like them; it keeps its weights.
        validation: The `VolumeDice`.
        label_names: Foreground classes.
        say: Called with a line for the user where there is anything to do.
    """
    epochs = best_epochs(rows, ESTIMATE, count)
    left = [epoch for epoch in epochs if SCORE not in rows[epoch - 1]]
    if left:
        say("validating whole scans with the models of the best estimates")
    validation.set_model(model)
    weights = model.get_weights()
    try:
        for epoch in left:
            row = rows[epoch - 1]
            kept = load_model(folder.candidate(epoch), compile=False)
            model.set_weights(kept.get_weights())
            validation.validate(row)
            replace_progress(
                folder.state_file, {"epochs": len(rows), "rows": rows}
            )
            write_history(folder.history_file, rows, label_names)
    finally:
        model.set_weights(weights)
    # One that was killed may have left the state of a candidate without it.
    write_history(folder.history_file, rows, label_names)
    best = best_epochs(rows, SCORE, 1)
    if best:
        with written_whole(folder.model_file) as beside:
            shutil.copyfile(folder.candidate(best[0]), beside)
