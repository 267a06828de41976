"""Algorithm 1 of the isample papers as a `tf.data.Dataset`.

Pick an image, a class of its label map and a center of that class; accept if
E(c) > U(0, 1) - epsilon; after a rejection draw all three again. Within the
images in use

    P(case j, class k, center c) ~ 1/J * 1/K_j * 1/|k in j| * min(1, E_j(c)
    + epsilon).

Candidates are drawn and rejected in bulk. A patch is a pure function of
(seed, epoch, index, error maps): draws are stateless and maps ordered, so that
a resumed run draws the same patches.
"""

import logging

import numpy as np
import tensorflow as tf

from keras_isample.data.cohort import Cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.preparation import prepare_cohort
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.sampling import augmentation
from keras_isample.sampling.acceptance import accept
from keras_isample.sampling.centers import ClassVoxels
from keras_isample.sampling.error_maps import EVERYWHERE_1
from keras_isample.sampling.error_maps import ON_DISK
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.exact_draw import draw_exactly
from keras_isample.sampling.patches import PatchReader

log = logging.getLogger(__name__)

CANDIDATES = (8, 64)
"""Candidates per open patch in the first and in each later round."""

ROUNDS = 32
"""Rounds of rejection; patches still open are then drawn from the weights."""

BLOCK = 192
"""About this many patches are drawn together."""


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
        augment: Whether patches are rotated and their spacing varied.
        spacing_jitter: Largest change of spacing, times the finest spacing.
        context_width: Side of the box mean of the network's second input.
        seed: Seed of all draws.
        folder: Where error maps are kept; a temporary folder if `None`.

    Attributes:
        cases: The `PreparedCase`s.
        error_maps: Their `ErrorMaps`.

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
        spacing_jitter=0.1,
        context_width=3,
        seed=0,
        folder=None,
    ):
        self.cohort = cohort if isinstance(cohort, Cohort) else None
        self.cases = (
            _prepare(self.cohort, context_width)
            if self.cohort
            else list(cohort)
        )
        if not self.cases:
            raise ValueError(
                "Argument `cohort` must have at least one case. Received none."
            )
        _check_choice("sampling", sampling, ("isample", "uniform"))
        _check_choice("sample_from", sample_from, ("refreshed", "all"))
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
        self.geometry = DualPathGeometry(patch_size, context_width)
        self.batch_size = batch_size
        self.epsilon = 1.0 if sampling == "uniform" else float(epsilon)
        self.sampling = sampling
        self.cases_per_batch = cases_per_batch
        self.sample_from = sample_from
        self.augment = augment
        self.spacing_jitter = spacing_jitter
        self.seed = int(seed)
        self.num_channels = len(self.cases[0].scales)
        self.error_maps = ErrorMaps(self.cases, folder)
        self.voxels = ClassVoxels(self.cases)
        self._reader = PatchReader(self.cases, self.geometry)
        self._shapes = tf.constant([c.shape for c in self.cases], tf.int64)
        classes = len(self.cases[0].counts)
        with tf.device("CPU:0"):
            self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._used = _table([], tf.int64, [None])
            self._offsets = _table([], tf.int64, [None])
            self._present = _table([[0] * classes], tf.int64, [None, classes])
            self._num_present = _table([], tf.int64, [None])
            self._weights = _table(
                [[0.0] * classes], tf.float64, [None, classes]
            )
        self.use(range(len(self.cases)))

    @property
    def epoch(self):
        """Number of the epoch whose patches `dataset` draws."""
        return int(self._epoch.numpy())

    @epoch.setter
    def epoch(self, value):
        self._epoch.assign(value)

    @property
    def used(self):
        """Indices of the cases that patches are drawn from."""
        return [int(i) for i in self._used.numpy()]

    def use(self, indices, resident=None):
        """Draws from the given cases from now on, by their newest error maps.

        To be called between epochs, after maps were replaced.

        Args:
            indices: Indices of the cases.
            resident: Those whose maps are held in memory, the others being
                read from disk; all if `None`.
        """
        indices = sorted(indices)
        self._resident = sorted(indices if resident is None else resident)
        counts = np.array([self.cases[i].counts for i in indices])
        present = counts > 0
        weights = np.array(
            [self.error_maps.weights(i, self.epsilon) for i in indices]
        )
        self.voxels.load(indices)
        offsets = self.error_maps.load(
            indices if self.sampling == "isample" else [], self._resident
        )
        if self.sampling == "uniform":
            offsets = np.full(len(indices), EVERYWHERE_1)
        # The classes of a case first, then the others.
        order = np.argsort(~present, axis=1, kind="stable")
        with tf.device("CPU:0"):
            self._used.assign(indices)
            self._offsets.assign(offsets)
            self._present.assign(order)
            self._num_present.assign(present.sum(axis=1))
            self._weights.assign(weights)
        self._report_empty(indices, present, weights)

    def acceptance_rate(self):
        """Expected share of accepted candidates, from the error maps in use."""
        weights = self._weights.numpy()
        share = weights.sum(axis=1) / self._num_present.numpy()
        return float(share.mean())

    def dataset(self, steps):
        """The batches of one epoch, in TensorFlow.

        The dataset is finite and reads the epoch and the error maps when it is
        iterated, so `fit` must be called without `steps_per_epoch`.

        Args:
            steps: Number of batches.

        Returns:
            `tf.data.Dataset` of `((image, context), labels)`: float32
            `(batch, H, H, H, channels)` and `(batch, L, L, L, channels)`;
            uint8 `(batch, o, o, o)`, 255 outside of the scan.
        """
        autotune = tf.data.AUTOTUNE
        patches = self.centers(steps).map(
            self._read, num_parallel_calls=autotune, deterministic=True
        )
        return patches.batch(self.batch_size, drop_remainder=True).prefetch(2)

    def centers(self, steps):
        """The accepted centers of one epoch, before patches are read.

        Returns:
            `tf.data.Dataset` of `(case, center, draws)`: index of the case,
            int64; voxel, int64 `(3,)`; `augmentation.DRAWS` uniform draws,
            float32.
        """
        per_block = max(1, BLOCK // self.batch_size)
        blocks = -(-steps // per_block)
        drawn = tf.data.Dataset.range(blocks).map(
            lambda block: self._draw_block(block, per_block)
        )
        number = steps * self.batch_size
        return (
            drawn.unbatch()
            .take(number)
            .apply(tf.data.experimental.assert_cardinality(number))
        )

    def state(self):
        """What `restore` needs to draw the same patches again."""
        return {
            "epoch": self.epoch,
            "used": np.array(self.used, np.int64),
            "resident": np.array(self._resident, np.int64),
            **self.error_maps.state(),
        }

    def restore(self, state):
        """Goes back to an earlier `state`."""
        self.error_maps.restore(state)
        self.epoch = int(state["epoch"])
        self.use(state["used"].tolist(), state["resident"].tolist())

    def _draw_block(self, block, batches):
        seed = _fold(self.seed, self._epoch, block)
        slots = batches * self.batch_size
        cases = self._draw_cases(_fold_in(seed, 0), batches)
        drawn = self._draw_centers(seed, cases, slots)
        row = drawn[:, 0]
        case = tf.gather(self._used, row)
        center = _unravel(drawn[:, 1], tf.gather(self._shapes, case))
        draws = tf.random.stateless_uniform(
            [slots, augmentation.DRAWS], _fold_in(seed, 1)
        )
        return case, center, draws

    def _draw_cases(self, seed, batches):
        """Rows of the cases that each patch may come from, `(slots, n)`."""
        rows = tf.size(self._used, tf.int64)
        wanted = self.cases_per_batch
        if wanted is None:
            allowed = tf.tile(
                tf.range(rows)[None], [batches * self.batch_size, 1]
            )
        else:
            order = tf.argsort(
                tf.random.stateless_uniform(
                    [batches, tf.cast(rows, tf.int32)], seed
                )
            )
            allowed = tf.cast(order[:, :wanted], tf.int64)
            allowed = tf.repeat(allowed, self.batch_size, axis=0)
        if self.sample_from == "refreshed":
            return allowed
        pick = _random_below(
            tf.fill([tf.shape(allowed)[0]], tf.shape(allowed)[1]),
            tf.random.stateless_uniform(
                tf.shape(allowed)[:1], _fold_in(seed, 2), dtype=tf.float64
            ),
        )
        return tf.gather(allowed, pick, axis=1, batch_dims=1)[:, None]

    def _draw_centers(self, seed, cases, slots):
        """Rows and flat positions of accepted centers, int64 `(slots, 2)`."""

        def draw_round(number, found, still_open):
            many = tf.where(number == 0, CANDIDATES[0], CANDIDATES[1])
            case, position, uniform = self._candidates(
                _fold_in(seed, 3 + number), tf.gather(cases, still_open), many
            )
            accepted = accept(
                tf.cast(self._error(case, position), tf.float64),
                uniform,
                self.epsilon,
            )
            first = tf.argmax(accepted, axis=1)
            hit = tf.reduce_any(accepted, axis=1)
            chosen = tf.stack(
                [
                    tf.gather(case, first, axis=1, batch_dims=1),
                    tf.gather(position, first, axis=1, batch_dims=1),
                ],
                axis=-1,
            )
            found = tf.tensor_scatter_nd_update(
                found,
                tf.boolean_mask(still_open, hit)[:, None],
                tf.boolean_mask(chosen, hit),
            )
            return number + 1, found, tf.boolean_mask(still_open, ~hit)

        _, found, still_open = tf.while_loop(
            lambda number, _, still_open: (
                (number < ROUNDS) & (tf.size(still_open) > 0)
            ),
            draw_round,
            [
                0,
                tf.zeros([slots, 2], tf.int64),
                tf.range(slots),
            ],
            shape_invariants=[
                tf.TensorShape([]),
                tf.TensorShape([slots, 2]),
                tf.TensorShape([None]),
            ],
        )
        return tf.cond(
            tf.size(still_open) > 0,
            lambda: self._draw_rest(seed, cases, found, still_open),
            lambda: found,
        )

    def _candidates(self, seed, cases, many):
        """Candidates `(open slots, many)`: case, position, U(0, 1)."""
        shape = tf.stack([tf.shape(cases)[0], many])
        draws = tf.random.stateless_uniform(
            tf.concat([shape, [4]], 0), seed, dtype=tf.float64
        )
        pick = _random_below(tf.shape(cases, tf.int64)[1], draws[..., 0])
        case = tf.reshape(tf.gather(cases, pick, axis=1, batch_dims=1), [-1])
        flat = tf.reshape(draws, [-1, 4])
        place = _random_below(tf.gather(self._num_present, case), flat[:, 1])
        label = tf.gather_nd(self._present, tf.stack([case, place], axis=-1))
        count = tf.gather_nd(
            self.voxels.counts, tf.stack([case, label], axis=-1)
        )
        rank = _random_below(count, flat[:, 2])
        position = self.voxels.by_rank(case, label, rank)
        return (
            tf.reshape(case, shape),
            tf.reshape(position, shape),
            draws[..., 3],
        )

    def _error(self, case, position):
        """E at flat positions of rows of the cases in use, uint8."""
        offset = tf.gather(self._offsets, case)
        known = offset >= 0
        at = tf.where(known, offset + position, tf.zeros_like(position))
        padded = tf.cond(
            tf.size(self.error_maps.values) > 0,
            lambda: tf.gather(self.error_maps.values, at),
            lambda: tf.zeros_like(at, tf.uint8),
        )
        error = tf.where(known, padded, tf.constant(255, tf.uint8))
        on_disk = tf.where(offset == ON_DISK)
        return tf.cond(
            tf.size(on_disk) > 0,
            lambda: tf.tensor_scatter_nd_update(
                error, on_disk, self._read_errors(case, position, on_disk)
            ),
            lambda: error,
        )

    def _read_errors(self, case, position, where):
        indices = tf.gather(self._used, tf.gather_nd(case, where))
        errors = tf.numpy_function(
            self.error_maps.read,
            [indices, tf.gather_nd(position, where)],
            tf.uint8,
        )
        return tf.ensure_shape(errors, [None])

    def _draw_rest(self, seed, cases, found, still_open):
        """Draws what rejection did not find from the weights themselves."""
        draws = tf.random.stateless_uniform(
            [tf.size(still_open), 3], _fold_in(seed, 2), dtype=tf.float64
        )
        drawn = tf.numpy_function(
            self._draw_exactly,
            [
                tf.gather(cases, still_open),
                draws,
                self._weights,
                self._present,
                self._num_present,
                self._used,
                self._offsets != EVERYWHERE_1,
            ],
            tf.int64,
        )
        drawn = tf.ensure_shape(drawn, [None, 2])
        return tf.tensor_scatter_nd_update(found, still_open[:, None], drawn)

    def _draw_exactly(
        self, cases, draws, weights, present, num_present, used, known
    ):
        share = np.zeros_like(weights)
        for row, (order, number) in enumerate(
            zip(present, num_present, strict=True)
        ):
            share[row, order[:number]] = weights[row, order[:number]] / number
        result = np.empty([len(cases), 2], np.int64)
        for target, rows, uniform in zip(result, cases, draws, strict=True):
            target[:] = draw_exactly(
                rows,
                uniform,
                share,
                self.epsilon,
                case_of=lambda row: self.cases[used[row]],
                map_of=lambda row: (
                    self.error_maps[int(used[row])] if known[row] else None
                ),
            )
        return result

    def _read(self, case, center, draws):
        def read(case, center, draws):
            matrix = None
            if self.augment:
                matrix = augmentation.patch_matrix(
                    draws, self.cases[case].spacing, self.spacing_jitter
                )
            return self._reader.read(int(case), center, matrix)

        image, context, labels = tf.numpy_function(
            read,
            [case, center, draws],
            [tf.float32, tf.float32, tf.uint8],
            stateful=False,
        )
        geometry = self.geometry
        image.set_shape([geometry.image_size] * 3 + [self.num_channels])
        context.set_shape([geometry.context_size] * 3 + [self.num_channels])
        labels.set_shape([geometry.patch_size] * 3)
        return (image, context), labels

    def _report_empty(self, indices, present, weights):
        for index, has, weight in zip(indices, present, weights, strict=True):
            empty = np.flatnonzero(has & (weight == 0))
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


def _table(value, dtype, shape):
    return tf.Variable(
        tf.constant(value, dtype), shape=shape, trainable=False, dtype=dtype
    )


def _fold(seed, epoch, block):
    """A stateless seed from the three numbers that a block depends on."""
    base = tf.stack([tf.constant(seed, tf.int64), epoch])
    return _fold_in(base, block)


def _fold_in(seed, number):
    return tf.random.experimental.stateless_fold_in(
        seed, tf.cast(number, tf.int64)
    )


def _random_below(limit, uniform):
    """Integers below `limit` from draws of U(0, 1) in double precision."""
    limit = tf.cast(limit, tf.int64)
    drawn = tf.cast(uniform * tf.cast(limit, tf.float64), tf.int64)
    return tf.minimum(drawn, limit - 1)


def _unravel(position, shape):
    """Voxel indices `(n, 3)` from flat positions in C order."""
    y, z = shape[:, 1], shape[:, 2]
    return tf.stack(
        [position // (y * z), position // z % y, position % z], axis=-1
    )
