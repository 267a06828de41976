"""Algorithm 1 of the isample papers as a `tf.data.Dataset`.

Pick an image, a class of its label map and a center of that class; accept if
E(c) > U(0, 1) - epsilon; after a rejection draw all three again. Within the
images in use

    P(case j, class k, center c) ~ 1/J * 1/K_j * 1/|k in j| * min(1, E_j(c)
    + epsilon).

In a case where classes were not annotated (`partial="merge"`) they and the
background are one of its K_j classes.

How often each class of each image is accepted is known from the histograms of
the error maps. So image and class of a patch are drawn at once as the loop
above would leave them, and only the center by rejection, in bulk. Classes that
accept almost nothing are drawn from their chances themselves (`exact_draw`).

A patch is a pure function of (seed, epoch, index, error maps): each block of
draws has a generator of its own and maps are ordered, so that a resumed run
draws the same patches.
"""

import logging
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_isample.data.cohort import Cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.preparation import prepare_cohort
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.sampling import augmentation
from keras_isample.sampling.acceptance import accept
from keras_isample.sampling.centers import ClassVoxels
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.exact_draw import ExactDraw
from keras_isample.sampling.inverse import below
from keras_isample.sampling.inverse import choose
from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.merged_labels import merged_classes
from keras_isample.sampling.patches import PatchReader
from keras_isample.sampling.slices import SliceDraw

log = logging.getLogger(__name__)

BLOCK = 192
"""About this many patches are drawn together."""

ROUNDS = 32
"""Rounds of rejection; what is still open is drawn from the chances."""

RARE = 1 / 2000
"""Classes that accept less are drawn from the chances at once."""

_STREAM = 90
"""Sets these draws apart from others with the same seed: (1, 2) and (1, 2, 0)
would give the same ones."""


class _Use(NamedTuple):
    """What patches are drawn from, between two updates of the error maps.

    `cases` are indices. `accepted` (mean chance of acceptance) and `even` (the
    same share for every class that has voxels) have one row for each case and
    one column per class. `has_map`: whether the case has an error map.
    """

    cases: np.ndarray
    accepted: np.ndarray
    even: np.ndarray
    has_map: np.ndarray


class ISample:
    """Draws training patches where the network is still wrong.

    Every epoch has its own patches. `ErrorMapUpdate` moves on to the next
    epoch, with uniform sampling too; without it, set `epoch`.

    Args:
        cohort: The training `Cohort`, or a list of `PreparedCase`s. Of a
            cohort, cases that are not wholly annotated are treated as its
            `partial` says.
        patch_size: Side of the labeled patch in voxels, a multiple of 4.
        batch_size: Patches per batch.
        epsilon: Slack of the acceptance; 1 accepts everything.
        sampling: `"isample"`, or `"uniform"`: the same algorithm with
            everything accepted, so that cases and classes are drawn evenly.
        cases_per_batch: Number of cases in a batch, drawn evenly; all if
            `None`.
        sample_from: `"refreshed"`: patches come from the cases whose error
            maps the last update made (all cases before the first). `"all"`:
            from all cases, each with the same share; only class and center
            are drawn again after a rejection.
        augment: Whether patches are rotated and their spacing varied, or what
            `augmentation` says.
        augmentation: `"isample"`, or `"cardiac"` for slices: one of nothing,
            a flip along either axis and a turn within 10 degrees.
        spacing_jitter: Largest change of spacing, times the finest spacing.
        context_width: Side of the box mean of the network's second input.
        geometry: What the network sees around a center, such as
            `PlainGeometry` or `SliceGeometry`, in place of `patch_size` and
            `context_width`; if `None`, what the dual-path network sees.
        seed: Seed of all draws.
        folder: Where error maps are kept; a temporary folder if `None`.

    Attributes:
        cases: The `PreparedCase`s.
        merged_classes: The different sets of classes that count as one with
            the background in some case, as tuples of class indices; to be
            given to the loss. Empty if there are none.
        error_maps: Their `ErrorMaps`.
        epoch: Number of the epoch whose patches `dataset` draws.

    Raises:
        ValueError: If an argument is out of range or a case has no voxel.

    Example:
    >>> sampler = ISample(train, patch_size=8, batch_size=12, seed=0)
    >>> model.fit(sampler.dataset(steps=100), epochs=50,
    ...           callbacks=[ErrorMapUpdate(sampler)])
    """

    def __init__(
        self,
        cohort,
        *,
        patch_size=8,
        batch_size=12,
        epsilon=0.01,
        sampling="isample",
        cases_per_batch=None,
        sample_from="refreshed",
        augment=True,
        augmentation="isample",
        spacing_jitter=0.1,
        context_width=3,
        geometry=None,
        seed=0,
        folder=None,
    ):
        self.cohort = cohort if isinstance(cohort, Cohort) else None
        self.geometry = geometry or DualPathGeometry(patch_size, context_width)
        # A geometry without context is content with any.
        width = getattr(self.geometry, "context_width", context_width)
        self.cases = (
            _prepare(self.cohort, width) if self.cohort else list(cohort)
        )
        if not self.cases:
            raise ValueError(
                "Argument `cohort` must have at least one case. Received none."
            )
        _check_choice("sampling", sampling, ("isample", "uniform"))
        _check_choice("sample_from", sample_from, ("refreshed", "all"))
        _check_choice("augmentation", augmentation, ("isample", "cardiac"))
        across = getattr(self.geometry, "axis", None)
        if augmentation == "cardiac" and across is None:
            raise ValueError(
                'Argument `augmentation` may be "cardiac" for slices only. '
                f"Received: geometry={self.geometry}."
            )
        if not 0 <= epsilon <= 1:
            raise ValueError(
                "Argument `epsilon` must lie in [0, 1]. "
                f"Received: epsilon={epsilon}."
            )
        if batch_size < 1:
            raise ValueError(
                "Argument `batch_size` must be at least 1. "
                f"Received: batch_size={batch_size}."
            )
        if cases_per_batch is not None and cases_per_batch < 1:
            raise ValueError(
                "Argument `cases_per_batch` must be at least 1, or None for "
                f"all. Received: cases_per_batch={cases_per_batch}."
            )
        self.batch_size = batch_size
        self.epsilon = 1.0 if sampling == "uniform" else float(epsilon)
        self.sampling = sampling
        self.cases_per_batch = cases_per_batch
        self.sample_from = sample_from
        self.augment = augment
        self.augmentation = augmentation
        self.spacing_jitter = spacing_jitter
        self.seed = int(seed)
        self.merged_classes = merged_classes(self.cases)
        self.num_channels = len(self.cases[0].scales)
        self.error_maps = ErrorMaps(self.cases, folder)
        mapped = MappedCases(self.cases)
        self._reader = PatchReader(mapped, self.geometry, augment=augment)
        self._voxels = ClassVoxels(mapped)
        self._exact = ExactDraw(
            mapped, self._voxels, self.error_maps, self.epsilon
        )
        self._slices = None
        if getattr(self.geometry, "whole", False):
            size = self.geometry.labels.size
            self._slices = SliceDraw(self.cases, across, size, self.seed)
            if sampling == "uniform" and cases_per_batch is not None:
                raise ValueError(
                    "Argument `cases_per_batch` must be None where every "
                    "slice is shown in turn. "
                    f"Received: cases_per_batch={cases_per_batch}."
                )
        self.epoch = 0
        self.use(range(len(self.cases)))

    @property
    def used(self):
        """Indices of the cases that patches are drawn from."""
        return self._use.cases.tolist()

    def use(self, indices):
        """Draws from the given cases from now on, by their newest error maps.

        To be called between epochs, after maps were replaced.

        Args:
            indices: Indices of the cases.
        """
        indices = sorted(indices)
        maps = self.error_maps
        even = np.array([self.cases[i].trained_counts for i in indices]) > 0
        accepted, has_map = even.astype(np.float64), np.zeros(len(even), bool)
        if self.sampling == "isample":
            accepted = np.array(
                [maps.weights(i, self.epsilon) for i in indices]
            )
            has_map = np.array([maps[i] is not None for i in indices])
        self._exact.forget()
        self._use = _Use(
            np.array(indices, np.int64),
            accepted,
            even / even.sum(axis=1, keepdims=True),
            has_map,
        )
        self._report_empty()

    def acceptance_rate(self):
        """Expected share of accepted candidates, from the error maps in use."""
        use = self._use
        return float((use.accepted * use.even).sum(axis=1).mean())

    def dataset(self, steps):
        """The batches of one epoch, in TensorFlow.

        The dataset is finite and reads the epoch and the error maps when it is
        iterated, so `fit` must be called without `steps_per_epoch`.

        Args:
            steps: Number of batches.

        Returns:
            `tf.data.Dataset` of `(inputs, labels)`: float32 `(batch, *size,
            channels)` for the one input of the geometry, or a tuple of them,
            `(image, context)` for the dual-path network; uint8
            `(batch, *size)`, 255 outside of the scan. If `merged_classes` is
            not empty, int32 `label + 256 * s`, where `s` is 0 for a case that
            was wholly annotated, and otherwise the classes
            `merged_classes[s - 1]` count as background in the case; 255
            outside of the scan whatever `s` is. Slices have two sides.
        """
        patches = self._batches(steps).map(
            self._reader.read_batch,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return patches.prefetch(2).with_options(_options())

    def centers(self, steps):
        """The accepted centers of one epoch, before patches are read.

        Returns:
            `tf.data.Dataset` of `(case, center, matrix)`: index of the case,
            int64; voxel, int64 `(3,)`; float64 `(3, 3)` from steps in the
            patch to steps in the scan, the identity without augmentation.
        """
        number = steps * self.batch_size
        return (
            self._batches(steps)
            .unbatch()
            .apply(tf.data.experimental.assert_cardinality(number))
            .with_options(_options())
        )

    def state(self):
        """What `restore` needs to draw the same patches again."""
        return {
            "epoch": self.epoch,
            "used": np.array(self.used, np.int64),
            **self.error_maps.state(),
        }

    def restore(self, state):
        """Goes back to an earlier `state`."""
        self.error_maps.restore(state)
        self.epoch = int(state["epoch"])
        self.use(state["used"].tolist())

    def _batches(self, steps):
        """Batches of what `centers` gives one by one."""
        per_block = max(1, BLOCK // self.batch_size)
        blocks = -(-steps // per_block)

        def draw(block):
            drawn = tf.numpy_function(
                lambda block: self._draw_block(int(block), per_block, steps),
                [block],
                [tf.int64, tf.int64, tf.float64],
            )
            for array, shape in zip(drawn, ([], [3], [3, 3]), strict=True):
                array.set_shape([per_block, self.batch_size, *shape])
            return tuple(drawn)

        drawn = tf.data.Dataset.range(blocks).map(draw).unbatch().take(steps)
        return drawn.apply(tf.data.experimental.assert_cardinality(steps))

    def _draw_block(self, block, batches, steps):
        """Cases, centers and matrices of some batches, `(batches, n, ...)`."""
        rng = np.random.default_rng((self.seed, self.epoch, block, _STREAM))
        number = batches * self.batch_size
        if self._slices is not None and self.sampling == "uniform":
            first = self.epoch * steps * self.batch_size + block * number
            case, center = self._slices.draw(first, number)
            matrix = self._draw_matrices(rng, case)
        else:
            case, center, matrix = self._draw_centers(rng, batches)
            if self._slices is not None:
                center = self._slices.whole(center)
        if self.augmentation == "cardiac":
            center = center + augmentation.flip_shifts(
                matrix, self.geometry.labels.size
            )
        return tuple(
            array.reshape(batches, self.batch_size, *array.shape[1:])
            for array in (case, center, matrix)
        )

    def _draw_centers(self, rng, batches):
        """Cases, accepted centers and matrices of some batches, `(n, ...)`."""
        row, label, empty = self._draw_classes(rng, batches)
        case = self._use.cases[row]
        matrix = self._draw_matrices(rng, case)
        center = np.empty((len(row), 3), np.int64)
        for key, slots in _groups(np.stack([row, label, empty], axis=1)):
            position = self._draw_voxels(rng, *key, len(slots))
            shape = self.cases[case[slots[0]]].shape
            center[slots] = np.stack(np.unravel_index(position, shape), axis=1)
        return case, center, matrix

    def _draw_matrices(self, rng, case):
        if not self.augment:
            return np.tile(np.eye(3), (len(case), 1, 1))
        draws = rng.random((len(case), augmentation.DRAWS))
        spacing = np.array([self.cases[index].spacing for index in case])
        if self.augmentation == "cardiac":
            return augmentation.slice_matrices(
                draws, spacing, self.geometry.axis
            )
        flat = np.array([self.cases[index].shape for index in case]) == 1
        flat |= np.array(self.geometry.labels.size) == 1
        return augmentation.patch_matrices(
            draws, spacing, self.spacing_jitter, flat
        )

    def _draw_classes(self, rng, batches):
        """Row of the case, class, and whether no error is left, per patch.

        What would be drawn again after a rejection is drawn in proportion to
        its acceptance: rows and classes together, or with `sample_from="all"`
        the classes of a row that is drawn before.
        """
        use = self._use
        share = use.even * use.accepted
        rows = self._draw_rows(rng, batches)
        uniform = rng.random(
            (len(rows), batches * self.batch_size // len(rows))
        )
        result = []
        for allowed, draws in zip(rows, uniform, strict=True):
            weights = share[allowed].ravel()
            empty = weights.sum() <= 0
            if empty:
                weights = use.even[allowed].ravel()
            at, label = np.divmod(choose(weights, draws), share.shape[1])
            result.append([allowed[at], label, np.full(len(at), int(empty))])
        return np.concatenate(result, axis=1)

    def _draw_rows(self, rng, batches):
        """Rows of the cases that patches may come from, `(groups, n)`.

        The patches of a block are divided evenly among the groups, in order.
        """
        number = len(self._use.cases)
        rows = np.arange(number)[None]
        if self.cases_per_batch is not None and self.cases_per_batch < number:
            order = np.argsort(rng.random((batches, number)), axis=1)
            rows = order[:, : self.cases_per_batch]
        if self.sample_from == "all":
            slots = batches * self.batch_size
            rows = np.repeat(rows, slots // len(rows), axis=0)
            at = below(rows.shape[1], rng.random(slots))
            rows = rows[np.arange(slots), at][:, None]
        return rows

    def _draw_voxels(self, rng, row, label, empty, number):
        """Accepted centers of a class, flat positions, int64 `(number,)`."""
        index = int(self._use.cases[row])
        known = bool(self._use.has_map[row]) and not empty
        share = self._voxels.share(index, label)
        if known:
            share *= self._use.accepted[row, label]
        found = []
        for _ in range(ROUNDS if share >= RARE else 0):
            draws = rng.random((2, int(1.25 * number / share) + 8))
            position, usable = self._voxels.candidates(index, label, draws[0])
            if known:
                error = self.error_maps.errors(index)[position]
                usable &= accept(error, draws[1], self.epsilon)
            found.append(position[usable][:number])
            number -= len(found[-1])
            if not number:
                return np.concatenate(found)
        uniform = rng.random((number, 2))
        found.append(self._exact.draw(index, label, uniform, known=known))
        return np.concatenate(found)

    def _report_empty(self):
        use = self._use
        for index, even, accepted in zip(
            use.cases, use.even, use.accepted, strict=True
        ):
            empty = np.flatnonzero((even > 0) & (accepted == 0))
            if len(empty):
                log.warning(
                    "%s: no error is left in class %s at epsilon %g; it is "
                    "skipped until the next update.",
                    self.cases[index].name,
                    ", ".join(map(str, empty)),
                    self.epsilon,
                )


def _prepare(cohort, context_width):
    cohort, notes = training_cases(cohort)
    for note in notes:
        log.warning(note)
    return prepare_cohort(cohort, context_width=context_width)


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"Argument `{name}` must be one of {choices}. "
            f"Received: {name}={value!r}."
        )


def _groups(keys):
    """`(key, indices)` of each different row of `keys`."""
    different, group = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(group.ravel()))[:-1]
    return zip(different.tolist(), np.split(order, ends), strict=True)


def _options():
    """Without automatic tuning, which makes the end of an epoch wait.

    The thread that tunes sleeps twice as long each time, 10 ms to a minute, and
    an iterator is not let go before it wakes (TensorFlow 2.17 to 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
