"""Error maps from the current weights, after each epoch."""

import time

import numpy as np

from keras_isample.callbacks.block_update import BlockUpdate
from keras_isample.callbacks.error_maps_callback import ErrorMapsCallback
from keras_isample.callbacks.loss_check import check_merged_classes
from keras_isample.callbacks.order import note_turn
from keras_isample.callbacks.predicted_errors import predicted_errors
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.models.segmentation_model import geometry_of
from keras_isample.progress import SILENT

_STREAM = 91
"""Sets the choice of cases apart from other draws with the same seed, but for
the order of slices, which uniform sampling alone draws."""


class ErrorMapUpdate(ErrorMapsCallback):
    """Predicts training scans and tells the sampler what is wrong.

    After each epoch a subset I* of the training cases is selected, E(x) = 1 -
    p(true class at x) is computed over their whole scans from the current
    weights, and the next epoch is drawn from these maps (isample papers,
    Algorithm 1). I* is random, but no case comes again before all have come.
    With uniform sampling no map is needed and none is made.

    With a `budget` blocks of the scans are predicted instead, as many as it
    pays for, and all cases stay in use; see `BlockUpdate`.

    Adds to the epoch's logs: `acceptance_rate` (expected share of accepted
    candidates of the epoch that ends), `mean_error` (mean of E over the cases
    of this update; over all cases with a `budget`, as far as their maps tell)
    and `seconds_error_maps`.

    Args:
        sampler: The `ISample` that `fit` draws from.
        num_cases: Size of the subset I*; all cases if `None`.
        budget: Multiplications that the update of an epoch may take (see
            `inference.cost`); whole scans are predicted if `None`.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, as `predictor_for` says.
        remove_replaced: Whether files of replaced maps are removed at once.
        reporter: The `Reporter` that shows the cases; silent by default.

    Raises:
        ValueError: If there is a `budget`, and `num_cases` or a sampler that
            does not draw from all cases.
    """

    def __init__(
        self,
        sampler,
        *,
        num_cases=None,
        budget=None,
        tile_memory=None,
        remove_replaced=True,
        reporter=SILENT,
    ):
        super().__init__()
        if num_cases is not None and num_cases < 1:
            raise ValueError(
                "Argument `num_cases` must be at least 1, or None for all. "
                f"Received: num_cases={num_cases}."
            )
        if budget is not None and num_cases is not None:
            raise ValueError(
                "Argument `num_cases` is of whole scans, and with a budget "
                "blocks are predicted. Use one of them. "
                f"Received: num_cases={num_cases}."
            )
        self.sampler = sampler
        self.num_cases = min(
            num_cases or len(sampler.cases), len(sampler.cases)
        )
        self.budget = budget
        self.tile_memory = tile_memory
        self.remove_replaced = remove_replaced
        self.reporter = reporter
        self._blocks = None
        if budget is not None:
            self._blocks = BlockUpdate(sampler, budget, tile_memory)

    def on_train_begin(self, logs=None):
        introduce(self.model, self.sampler)

    def on_epoch_end(self, epoch, logs=None):
        started = time.monotonic()
        logs = {} if logs is None else logs
        logs["acceptance_rate"] = self.sampler.acceptance_rate()
        if self.sampler.sampling == "isample":
            note_turn(self)
            logs["mean_error"] = self._update()
        self.sampler.epoch += 1
        logs["seconds_error_maps"] = time.monotonic() - started

    def _update(self):
        """Refreshes maps; returns the mean error to log."""
        sampler = self.sampler
        counted = range(len(sampler.cases))
        if self._blocks is None:
            counted = self._update_whole()
        else:
            phase = self.reporter.phase(
                "error maps", item="case", part="blocks"
            )
            with phase:
                self._blocks.update(self.model, phase)
            sampler.use(counted)
        if self.remove_replaced:
            sampler.error_maps.remove_unused()
        return float(
            np.mean([sampler.error_maps.mean_error(i) for i in counted])
        )

    def _update_whole(self):
        """Refreshes the maps of a new subset; returns its cases."""
        sampler = self.sampler
        version = sampler.epoch + 1
        cases = range(len(sampler.cases))
        chosen = _random_subset(
            len(cases), self.num_cases, sampler.epoch, sampler.seed
        )
        phase = self.reporter.phase("error maps", len(chosen), item="case")
        with phase:
            for done, index in enumerate(chosen, start=1):
                values = predicted_errors(
                    self.model,
                    sampler.cases[index],
                    (sampler.seed, version, index),
                    tile_memory=self.tile_memory,
                    progress=phase.within,
                )
                sampler.error_maps.update(
                    index, None, values, version=version, seed=sampler.seed
                )
                phase(done)
        refreshed = sampler.sample_from == "refreshed"
        sampler.use(chosen if refreshed else cases)
        if refreshed:
            # The others are made again before they are used; with many cases
            # they would fill the disk.
            sampler.error_maps.keep(chosen)
        return chosen


def _random_subset(count, size, turn, seed):
    """The random subset I* of one update, in rounds that reach every case.

    A round cuts a random order of all cases into subsets; its last one is
    filled up from the beginning of the order. So where all cases stay in use,
    no map is older than two rounds; independent subsets would leave up to a
    third of the cases without any map for as long as one round takes.

    Args:
        count: Number of cases.
        size: Cases of a subset, at most `count`.
        turn: Number of the update, from 0.
        seed: Seed of the orders.

    Returns:
        Sorted list of indices.
    """
    per_round = -(-count // size)
    order = np.random.default_rng((seed, turn // per_round, _STREAM))
    order = order.permutation(count)
    first = turn % per_round * size
    places = np.arange(first, first + size) % count
    return sorted(order[places].tolist())


def introduce(model, sampler):
    """Checks that a model fits a sampler, and tells it of its scans.

    Args:
        model: Its metadata learns how scans were prepared, unless it knows.
        sampler: The `ISample`.

    Raises:
        ValueError: If their contexts or the axes of their slices differ, or
            the loss does not know which classes the sampler merges.
    """
    check_merged_classes(model, sampler)
    metadata = getattr(model, "metadata", None)
    if metadata is None:
        return
    _check_geometry(model, sampler.geometry)
    if sampler.geometry.axis is not None:
        metadata.setdefault("axis", sampler.geometry.axis)
    if model.geometry.windows:
        # Windows are as large as the patches that it is trained with.
        metadata["patch_size"] = sampler.geometry.patch_size
    if sampler.cohort is not None:
        facts = Preprocessing.of(sampler.cohort, sampler.cases)
        metadata.setdefault("preprocessing", facts.as_metadata())


def _check_geometry(model, ours):
    """Checks that a model sees what a sampler draws."""
    geometry = geometry_of(model)
    if geometry.context_width != ours.context_width:
        raise ValueError(
            f"The model has context_width={geometry.context_width}, the "
            f"sampler {ours.context_width}. Use the same."
        )
    if (geometry.axis is None) != (ours.axis is None):
        seen = "volumes" if geometry.axis is None else "slices"
        kind = "PlainGeometry" if geometry.axis is None else "SliceGeometry"
        raise ValueError(
            f"The model sees {seen}, the sampler's geometry is {ours}. Use a "
            f"{kind}."
        )
    # Until it is trained, a model takes slices across any axis.
    if "axis" in model.metadata and geometry.axis != ours.axis:
        raise ValueError(
            f"The model has axis={geometry.axis}, the sampler {ours.axis}. "
            "Use the same."
        )
