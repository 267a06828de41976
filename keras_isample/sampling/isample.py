"""Algorithm 1 of the isample papers as a `tf.data.Dataset`.

Pick an image, a class of its label map and a center of that class; accept if
E(c) > U(0, 1) - epsilon; after a rejection draw all three again. Within the
images in use

    P(case j, class k, center c) ~ 1/J * 1/K_j * 1/|k in j| * min(1, E_j(c)
    + epsilon).

So a class whose error is small as a whole, most of all the background, is
hardly drawn, even where the network is wrong in a part of it (false positives).
With `redraw="center"`, which is not of the papers, only the center is drawn
again:

    P(j, k, c) = 1/J * 1/K_j * min(1, E_j(c) + epsilon)
        / sum over x in k of min(1, E_j(x) + epsilon).

Every class keeps its share, and errors decide where in it. Epsilon should then
be smaller than the mean error of the classes, or their centers lie evenly; and
above 0, or a class that is nearly solved is trained on at a few voxels.

In a case where classes were not annotated (`partial="merge"`) they and the
background are one of its K_j classes.

`accepted_draw` draws what this loop leaves without running it patch by patch.

A patch is a pure function of (seed, epoch, index, error maps): each block of
draws has a generator of its own and maps are ordered, so that a resumed run
draws the same patches.
"""

import logging

import numpy as np
import tensorflow as tf

from keras_isample.data.class_presence import check_classes
from keras_isample.data.cohort import Cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.preparation import prepare_cohort
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.registries import AUGMENTATIONS
from keras_isample.sampling.accepted_draw import AcceptedDraw
from keras_isample.sampling.augmentation import DRAWS
from keras_isample.sampling.augmentation import AugmentedPatches
from keras_isample.sampling.augmentation import flip_shifts
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.merged_labels import merged_classes
from keras_isample.sampling.patches import PatchReader
from keras_isample.sampling.slices import SliceDraw

log = logging.getLogger(__name__)

as_written = tf.autograph.experimental.do_not_convert
"""Has a function traced without a translation of its source, which takes half
of the time of tracing; none here has branches or loops over tensors."""

BLOCK = 192
"""About this many patches are drawn together."""

_STREAM = 90
"""Sets these draws apart from others with the same seed: (1, 2) and (1, 2, 0)
would give the same ones."""


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
            from all cases, each with the same share; the case is not drawn
            again after a rejection.
        redraw: What is drawn again after a rejection: `"all"`, as in the
            papers (but see `sample_from`), or the `"center"` only. A class
            without any error at epsilon 0 is left out, a case without any too
            (alone in a batch, or with `sample_from="all"`, it keeps its share,
            drawn evenly). Without effect on uniform sampling.
        augment: Whether patches are rotated and their spacing varied, or what
            `augmentation` says.
        augmentation: A name of `registries.AUGMENTATIONS`: `"isample"`, or
            `"cardiac"` for slices: one of nothing, a flip along either axis
            and a turn within 10 degrees.
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
        redraw="all",
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
        width = self.geometry.context_width or context_width
        self.cases = (
            _prepare(self.cohort, width) if self.cohort else list(cohort)
        )
        if not self.cases:
            raise ValueError(
                "Argument `cohort` must have at least one case. Received none."
            )
        _check_choice("sampling", sampling, ("isample", "uniform"))
        _check_choice("sample_from", sample_from, ("refreshed", "all"))
        _check_choice("redraw", redraw, ("all", "center"))
        _check_choice("augmentation", augmentation, tuple(AUGMENTATIONS))
        across = self.geometry.axis
        self._augmentation = AUGMENTATIONS[augmentation]
        if self._augmentation.slices_only and across is None:
            raise ValueError(
                f"Argument `augmentation` may be {augmentation!r} for slices "
                "only. "
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
        self.redraw = redraw
        self.augment = augment
        self.augmentation = augmentation
        self.spacing_jitter = spacing_jitter
        self.seed = int(seed)
        self.merged_classes = merged_classes(self.cases)
        self.num_channels = len(self.cases[0].scales)
        self.error_maps = ErrorMaps(self.cases, folder)
        mapped = MappedCases(self.cases)
        self._reader = PatchReader(mapped, self.geometry, augment=augment)
        self._accepted = AcceptedDraw(
            mapped,
            self.error_maps,
            self.epsilon,
            by_error=sampling == "isample",
            batch_size=batch_size,
            cases_per_batch=cases_per_batch,
            case_first=sample_from == "all",
            class_first=redraw == "center",
        )
        self._slices = None
        if self.geometry.whole:
            size = self.geometry.labels.size
            self._slices = SliceDraw(self.cases, across, size, self.seed)
            if sampling == "uniform" and cases_per_batch is not None:
                raise ValueError(
                    "Argument `cases_per_batch` must be None where every "
                    "slice is shown in turn. "
                    f"Received: cases_per_batch={cases_per_batch}."
                )
        self.epoch = 0

    @property
    def used(self):
        """Indices of the cases that patches are drawn from."""
        return self._accepted.used

    def use(self, indices):
        """Draws from the given cases from now on, by their newest error maps.

        To be called between epochs, after maps were replaced.

        Args:
            indices: Indices of the cases.
        """
        self._accepted.use(indices)

    def draw_from(self, sample_from):
        """Changes `sample_from`; to be called between epochs."""
        _check_choice("sample_from", sample_from, ("refreshed", "all"))
        self.sample_from = sample_from
        self._accepted.draw_cases_first(sample_from == "all")

    def class_shares(self):
        """Expected shares of the classes among the centers of each case.

        Returns:
            Dictionary from the index of a case in use to float64
            `(classes,)`.
        """
        return self._accepted.class_shares()

    def acceptance_rate(self):
        """Expected share of accepted candidates, from the error maps in use."""
        return self._accepted.acceptance_rate()

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
            as_written(self._reader.read_batch),
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

        drawn = (
            tf.data.Dataset.range(blocks)
            .map(as_written(draw))
            .unbatch()
            .take(steps)
        )
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
            picks = self._accepted.picks(rng, batches)
            case = picks.case
            matrix = self._draw_matrices(rng, case)
            center = self._accepted.centers(rng, picks)
            if self._slices is not None:
                center = self._slices.whole(center)
        center = center + flip_shifts(matrix, self.geometry.labels.size)
        return tuple(
            array.reshape(batches, self.batch_size, *array.shape[1:])
            for array in (case, center, matrix)
        )

    def _draw_matrices(self, rng, case):
        if not self.augment:
            return np.tile(np.eye(3), (len(case), 1, 1))
        draws = rng.random((len(case), DRAWS))
        flat = np.array([self.cases[index].shape for index in case]) == 1
        patches = AugmentedPatches(
            np.array([self.cases[index].spacing for index in case]),
            flat | (np.array(self.geometry.labels.size) == 1),
            self.geometry.axis,
            self.spacing_jitter,
        )
        return self._augmentation.matrices(draws, patches)


def _prepare(cohort, context_width):
    cohort, notes = training_cases(cohort)
    for note in notes:
        log.warning(note)
    cases = prepare_cohort(cohort, context_width=context_width)
    check_classes(cohort, cases)
    return cases


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"Argument `{name}` must be one of {choices}. "
            f"Received: {name}={value!r}."
        )


def _options():
    """Without automatic tuning, which makes the end of an epoch wait.

    The thread that tunes sleeps twice as long each time, 10 ms to a minute, and
    an iterator is not let go before it wakes (TensorFlow 2.17 to 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
