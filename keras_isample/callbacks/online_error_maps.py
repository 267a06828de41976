"""Error maps from the training patches themselves, at no extra prediction.

The extension that the isample papers leave for the future. A training step
knows p(true class) of every voxel that it shows. These errors are carried back
through the augmentation, each to the voxel nearest to it, and take the place of
what the map said there; the newest wins. After the epoch the next one is drawn
from the maps, as with `ErrorMapUpdate`.

They differ from those of `ErrorMapUpdate` in four ways: a voxel's error is as
old as the last patch that showed it; it was measured with dropout and the
statistics of the batch; by the weights of that step, even where scans are
predicted with averages of them (`AveragedWeights`); and a voxel that no patch
has shown counts as the mean error of those of its class that were shown in its
scan.
"""

import time

import keras
import numpy as np

from keras_isample.callbacks.error_map_update import introduce
from keras_isample.callbacks.error_maps_callback import ErrorMapsCallback
from keras_isample.metrics.patch_errors import PatchErrors
from keras_isample.sampling.error_maps import round_errors
from keras_isample.volumes.block_grid import even_sides

_BLOCK = 32
"""About the side of the blocks that maps are stored in, in voxels."""


class OnlineErrorMaps(ErrorMapsCallback):
    """Takes error maps from the patches of the epoch.

    To be used in place of `ErrorMapUpdate`, on a single device, with its
    `metric` among the metrics of `compile`. Adds the same to the epoch's logs;
    `mean_error` is the mean over the scans that were shown.

    Args:
        sampler: The `ISample` that `fit` draws from, with
            `sampling="isample"`.
        remove_replaced: Whether files of replaced maps are removed at once.

    Attributes:
        metric: The `PatchErrors` to compile the model with.

    Example:
    >>> online = OnlineErrorMaps(sampler)
    >>> model.compile(optimizer, loss, metrics=[online.metric])
    >>> model.fit(sampler.dataset(100), epochs=50, callbacks=[online])
    """

    def __init__(self, sampler, *, remove_replaced=True):
        super().__init__()
        if sampler.sampling != "isample":
            raise ValueError(
                'Argument `sampler` must have sampling="isample". '
                f"Received: sampling={sampler.sampling!r}."
            )
        self.sampler = sampler
        self.remove_replaced = remove_replaced
        size = sampler.geometry.labels.size
        self.metric = PatchErrors(
            (sampler.batch_size, *size), merged_classes=sampler.merged_classes
        )
        self._batches = []

    def on_train_begin(self, logs=None):
        introduce(self.model, self.sampler)

    def on_epoch_begin(self, epoch, logs=None):
        self._batches = []
        self._seconds = 0.0

    def on_train_batch_end(self, batch, logs=None):
        started = time.monotonic()
        errors = keras.ops.convert_to_numpy(self.metric.errors.value)
        self._batches.append(np.array(errors))
        self._seconds += time.monotonic() - started

    def on_epoch_end(self, epoch, logs=None):
        started = time.monotonic()
        logs = {} if logs is None else logs
        sampler = self.sampler
        logs["acceptance_rate"] = sampler.acceptance_rate()
        shown = self._update()
        sampler.use(range(len(sampler.cases)))
        if self.remove_replaced:
            sampler.error_maps.remove_unused()
        logs["mean_error"] = float(
            np.mean([sampler.error_maps.mean_error(i) for i in shown])
        )
        sampler.epoch += 1
        self._seconds += time.monotonic() - started
        logs["seconds_error_maps"] = self._seconds

    def _update(self):
        """Writes the maps of the scans that were shown; their indices."""
        sampler = self.sampler
        if not sampler.error_maps.is_divided:
            # Only blocks that were ever shown are stored.
            sampler.error_maps.divide(
                even_sides(case.shape, _BLOCK, (1, 1, 1))
                for case in sampler.cases
            )
        version = sampler.epoch + 1
        centers = sampler.centers(len(self._batches)).as_numpy_iterator()
        case, center, matrix = map(np.array, zip(*centers, strict=True))
        errors = np.concatenate(self._batches)
        offsets = _offsets(sampler.geometry.labels)
        shown = np.unique(case).tolist()
        for index in shown:
            patches = np.flatnonzero(case == index)
            shape = np.array(sampler.cases[index].shape)
            positions, values = [], []
            for patch in patches:
                place = np.rint(center[patch] + offsets @ matrix[patch].T)
                place = place.astype(np.int64)
                inside = ((place >= 0) & (place < shape)).all(axis=1)
                positions.append(np.ravel_multi_index(place[inside].T, shape))
                values.append(errors[patch].ravel()[inside])
            update_voxels(
                sampler.error_maps,
                index,
                np.concatenate(positions),
                np.concatenate(values),
                version=version,
                seed=sampler.seed,
            )
        return shown


def update_voxels(maps, index, positions, errors, *, version, seed):
    """Changes the errors of some voxels of a case.

    Args:
        maps: The `ErrorMaps`.
        index: The case.
        positions: Flat positions, int64; of equal ones the last counts.
        errors: Of these voxels, float, in [0, 1].
        version: Number of the update.
        seed: Seed of the rounding.
    """
    levels = round_errors(errors, (seed, version, index))
    blocks, _ = maps.grid(index).find(positions)
    maps.update(
        index, blocks, [(positions, levels)], version=version, seed=seed
    )


def _offsets(grid):
    """Steps from a center to the points of a grid, float64 `(points, 3)`."""
    steps = np.stack(np.indices(grid.size), axis=-1).reshape(-1, 3)
    return np.array(grid.first) + grid.step * steps + grid.middle
