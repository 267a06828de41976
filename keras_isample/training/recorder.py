"""After each epoch: history, best model and the state to resume from."""

import time
from contextlib import nullcontext

import keras

from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.validation_plan import ESTIMATE
from keras_isample.callbacks.validation_plan import SCORE
from keras_isample.training.candidates import candidate_epochs
from keras_isample.training.history import best_score
from keras_isample.training.history import epochs_since_best
from keras_isample.training.history import is_better
from keras_isample.training.history import write_history
from keras_isample.training.state import link_error_maps
from keras_isample.training.state import save_state
from keras_isample.volumes.files import written_whole


class Recorder(keras.callbacks.Callback):
    """Writes an epoch's results, the resumable state last.

    Everything before the state can be written again: a run killed in between
    repeats the epoch and writes the same.

    Args:
        folder: The `RunFolder`.
        sampler: The `ISample`.
        label_names: Foreground classes.
        batch_size: Patches per step, for the noise scale.
        rows: History of the epochs before.
        best_from: Of the epochs after this number, the state of the best is
            kept in the folder's `best`; of none if `None`.
        patience: Training stops after as many epochs without a better
            validation Dice; never if 0.
        average: The `AveragedWeights`, if scans are predicted with averages:
            these are saved as the model, the weights themselves as the state.
        plan: The `ValidationPlan`, if validations may be estimates: by these
            the best model is then chosen, and further ones are kept as
            candidates for the end of the run.
    """

    stage = Stage.STATE

    def __init__(
        self,
        folder,
        sampler,
        label_names,
        batch_size,
        rows=(),
        *,
        best_from=None,
        patience=0,
        average=None,
        plan=None,
    ):
        super().__init__()
        self.folder = folder
        self.sampler = sampler
        self.label_names = label_names
        self.batch_size = batch_size
        self.rows = list(rows)
        self.best_from = best_from
        self.patience = patience
        self.average = average
        self.column = plan.column if plan else SCORE
        self.num_candidates = plan.candidates if plan else 0

    @property
    def has_had_enough(self):
        """Whether the validation Dice has not risen for too long."""
        return 0 < self.patience <= epochs_since_best(self.rows)

    @property
    def best(self):
        """Best validation Dice of whole scans so far, or `None`."""
        return best_score(self.rows)

    @property
    def best_estimate(self):
        """Best estimate of it so far, or `None`."""
        return best_score(self.rows, ESTIMATE)

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self._trained = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        best = best_score(self.rows, self.column)
        row = self._row(epoch, logs or {})
        self.rows.append(row)
        if is_better(row.get(self.column), best):
            with written_whole(self.folder.model_file) as beside:
                self.model.save(beside)
        candidates = candidate_epochs(self.rows, self.num_candidates)
        if len(self.rows) in candidates:
            self._keep_candidate()
        if self.best_from is not None:
            self._keep_best()
        write_history(self.folder.history_file, self.rows, self.label_names)
        self._save_state(self.folder)
        self.folder.keep_candidates(candidates)
        self.sampler.error_maps.remove_unused()
        if self.has_had_enough:
            self.model.stop_training = True

    def _save_state(self, folder):
        with self.average.own_weights() if self.average else nullcontext():
            save_state(
                folder.state_file,
                self.model,
                self.sampler,
                {"epochs": len(self.rows), "rows": self.rows},
            )

    def _keep_best(self):
        """Keeps the state if the newest epoch is the best of those in view."""
        *before, newest = self.rows[self.best_from :]
        score, best = best_score([newest]), best_score(before)
        if score is not None and is_better(score, best):
            kept = link_error_maps(self.folder, self.folder.best)
            self._save_state(self.folder.best)
            for path in self.folder.best.error_map_folder.iterdir():
                if path.name not in kept:
                    path.unlink()

    def _keep_candidate(self):
        path = self.folder.candidate(len(self.rows))
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as beside:
            self.model.save(beside)

    def _row(self, epoch, logs):
        steps = self.params["steps"]
        row = {key: float(value) for key, value in logs.items()}
        row["loss_total"] = row.pop("loss")
        row["loss"] = row.pop("data_loss")
        row["epoch"] = epoch + 1
        row["step"] = (epoch + 1) * steps
        row["noise_scale"] = row["learning_rate"] / self.batch_size
        row["seconds_training"] = (
            self._trained
            - self._started
            + row.pop("seconds_normalization", 0.0)
        )
        return row
