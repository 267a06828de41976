"""Error maps from another process, while training goes on.

As in the isample papers, where one device predicts whole scans with the newest
weights and the others train. Here the newest weights are those of the last
epoch's end. Each scan is begun with the newest ones, the scan with the oldest
map first; what is finished at an epoch's end is used from the next epoch on,
and training never waits. So maps are a little old, and how old depends on the
machine: an epoch's patches come from E = 1 until a first map is there.

The other device is the last GPU, if training leaves one, else the CPU, at low
priority. A single GPU is not shared: it would be taken from training for half
of the time, all the time. Validation scans are predicted by `VolumeDice`
between two epochs, since the Dice of an epoch is that of its last weights.

A map is a function of case, weights and seed (and of the kind of device, within
rounding), the same that `ErrorMapUpdate` makes from these weights. When it is
ready is not: so which maps an epoch's end takes is written to a log before it
is done, and a run that finds its next epoch in the log takes the same maps,
waiting for them. A run that was killed goes on in this way, and a copy of the
log in a folder without a checkpoint has the whole run done again.
"""

import time
from pathlib import Path

import numpy as np

from keras_isample.callbacks.error_map_agenda import Agenda
from keras_isample.callbacks.error_map_log import ErrorMapLog
from keras_isample.callbacks.error_map_process import ErrorMapProcess
from keras_isample.callbacks.error_map_update import introduce
from keras_isample.callbacks.error_maps_callback import ErrorMapsCallback
from keras_isample.callbacks.order import note_turn
from keras_isample.callbacks.published_weights import PublishedWeights
from keras_isample.errors import InputError
from keras_isample.progress import SILENT
from keras_isample.sampling.error_map_files import read_tiles

_STREAM = 91
"""Sets the order of the cases apart from other draws of the same seed."""


class ConcurrentErrorMaps(ErrorMapsCallback):
    """Has whole training scans predicted continuously in the background.

    To be used in place of `ErrorMapUpdate`. All cases are in use all the time;
    one without a map counts as E = 1 everywhere. Where `fit` may end with an
    exception, call `close` afterwards.

    Adds to the epoch's logs: `acceptance_rate` (of the epoch that ends),
    `mean_error` (mean of E over all cases), `error_maps_new` (maps taken now),
    `error_map_step` (mean step of the weights of the maps in use, if there are
    any) and `seconds_error_maps` (time that training spent on all this).

    Args:
        sampler: The `ISample` that `fit` draws from, with
            `sampling="isample"`.
        folder: Where log, weights and unfinished maps are kept, on the file
            system of the sampler's maps; a folder among these if `None`.
        gpu: The GPU to predict on, as `CUDA_VISIBLE_DEVICES` names it; the CPU
            if `None`.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, as `predictor_for` says.
        remove_replaced: Whether files of replaced maps are removed at once.
        reporter: The `Reporter` that shows that a resumed run waits for maps;
            silent by default.

    Example:
    >>> maps = ConcurrentErrorMaps(sampler)
    >>> model.fit(sampler.dataset(100), epochs=50, callbacks=[maps])
    """

    def __init__(
        self,
        sampler,
        folder=None,
        *,
        gpu=None,
        tile_memory=None,
        remove_replaced=True,
        reporter=SILENT,
    ):
        super().__init__()
        if sampler.sampling != "isample":
            raise ValueError(
                'Argument `sampler` must have sampling="isample". '
                f"Received: sampling={sampler.sampling!r}."
            )
        self.sampler = sampler
        self.folder = folder
        self.gpu = gpu
        self.tile_memory = tile_memory
        self.remove_replaced = remove_replaced
        self.reporter = reporter
        self._process = None

    def open(self, folder):
        """As of `ErrorMapsCallback`."""
        self.folder = folder

    def on_train_begin(self, logs=None):
        self.close()
        introduce(self.model, self.sampler)
        sampler = self.sampler
        folder = self.folder or sampler.error_maps.folder / "concurrent"
        folder = Path(folder).absolute()
        self._weights = PublishedWeights(folder / "weights")
        self._weights.begin(self.model)
        self._log = ErrorMapLog(
            folder / "log.jsonl",
            {
                "seed": sampler.seed,
                "steps": self.params["steps"],
                "cases": [case.name for case in sampler.cases],
            },
        )
        logged = self._log.since(sampler.epoch + 1)
        self._check_weights(logged)
        self._process = ErrorMapProcess(
            Agenda(_order(sampler), self._versions()),
            sampler.cases,
            sampler.seed,
            self._weights,
            folder,
            gpu=self.gpu,
            tile_memory=self.tile_memory,
        )
        self._process.want(logged)
        if sampler.epoch:
            self._publish(sampler.epoch)

    def on_epoch_end(self, epoch, logs=None):
        note_turn(self)
        started = time.monotonic()
        logs = {} if logs is None else logs
        sampler = self.sampler
        logs["acceptance_rate"] = sampler.acceptance_rate()
        logs["error_maps_new"] = self._update(sampler.epoch + 1)
        logs["mean_error"] = float(
            np.mean(
                [
                    sampler.error_maps.mean_error(index)
                    for index in range(len(sampler.cases))
                ]
            )
        )
        versions = list(self._versions().values())
        if versions:
            logs["error_map_step"] = (
                float(np.mean(versions)) * self.params["steps"]
            )
        sampler.epoch += 1
        logs["seconds_error_maps"] = time.monotonic() - started

    def on_train_end(self, logs=None):
        to_come = self._log.since(self.sampler.epoch + 1)
        self._weights.keep(version for _, version in to_come)
        self.close()

    def close(self):
        """Ends the process, if it is there; a later `fit` starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _update(self, number):
        """Takes the maps of the end of an epoch; how many these are."""
        sampler, process = self.sampler, self._process
        self._publish(number)
        logged = self._log.decision(number)
        if logged is None:
            made = process.finished()
            self._log.add(number, {i: m.version for i, m in made.items()})
        else:
            with self.reporter.phase("waiting for error maps"):
                made = process.wait_for(list(logged.items()))
        for index, (path, version) in made.items():
            sampler.error_maps.update(
                index,
                None,
                read_tiles(path),
                version=version,
                seed=sampler.seed,
            )
            path.unlink()
        sampler.use(range(len(sampler.cases)))
        if self.remove_replaced:
            sampler.error_maps.remove_unused()
        # Whoever is killed before the state of this epoch is on disk comes
        # back to this decision.
        needed = {version for _, version in self._log.since(number)}
        self._weights.keep(needed | process.versions())
        return len(made)

    def _publish(self, version):
        self._weights.add(version, self.model)
        self._process.publish(version)

    def _versions(self):
        """Dictionary from case to the version of its map, if it has one."""
        maps = self.sampler.error_maps
        indices = range(len(self.sampler.cases))
        return {i: maps[i].version for i in indices if maps[i] is not None}

    def _check_weights(self, logged):
        """That weights are there which this run will not make (again)."""
        for _, version in logged:
            path = self._weights.path(version)
            if version < self.sampler.epoch and not path.exists():
                raise InputError(
                    path,
                    f"is missing, and {self._log.path} needs its maps",
                    "Restore it, or start a new run",
                )


def _order(sampler):
    """All cases in the order of the seed."""
    rng = np.random.default_rng((sampler.seed, _STREAM))
    return rng.permutation(len(sampler.cases)).tolist()
