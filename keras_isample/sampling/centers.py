"""Voxels of a class by rank, inside the TensorFlow graph.

Foreground voxels are listed (4 bytes each). Background voxels are not: the one
of rank r is found as the least x with `x = r + F(x)`, where F(x) counts the
foreground voxels up to x: `r + F(x)` lies between x and it. So every voxel of
every class is drawn with the same chance, at the borders too.
"""

import numpy as np
import tensorflow as tf


class ClassVoxels:
    """The voxels of each class of the cases in use.

    Args:
        cases: `PreparedCase`s.

    Attributes:
        positions: `tf.Variable`, int32, foreground positions of the cases in
            use, grouped by case and class.
        starts: `tf.Variable`, int64 `(cases in use, classes)`: where the
            positions of a class begin in `positions` (class 0 has none).
        counts: `tf.Variable`, int64 `(cases in use, classes)`.
    """

    def __init__(self, cases):
        self.cases = list(cases)
        classes = len(self.cases[0].counts)
        longest = max(max(case.counts[1:]) for case in self.cases)
        self._steps = int(longest).bit_length() + 1
        with tf.device("CPU:0"):
            self.positions = _variable([], np.int32, [None])
            self.starts = _variable([[0] * classes], np.int64, [None, classes])
            self.counts = _variable([[0] * classes], np.int64, [None, classes])
        self._loaded = None

    def load(self, indices):
        """Brings the voxels of the given cases into memory."""
        if self._loaded == tuple(indices):
            return
        counts = np.array([self.cases[i].counts for i in indices], np.int64)
        listed = counts.copy()
        listed[:, 0] = 0
        ends = np.cumsum(listed.ravel()).reshape(listed.shape)
        self.positions.assign(np.zeros([0], np.int32))
        # One element at least: nothing can be gathered from an empty list.
        flat = np.zeros([max(1, int(listed.sum()))], np.int32)
        first = 0
        for index in indices:
            part = self.cases[index].positions()
            flat[first : first + len(part)] = part
            first += len(part)
        with tf.device("CPU:0"):
            self.positions.assign(flat)
            self.starts.assign(ends - listed)
            self.counts.assign(counts)
        self._loaded = tuple(indices)

    def by_rank(self, case, label, rank):
        """Flat positions of voxels given by rank within their class.

        Args:
            case: int64 `(n,)`, rows of the cases in use.
            label: int64 `(n,)`.
            rank: int64 `(n,)`, below the class' count.

        Returns:
            int64 `(n,)`, flat positions in C order.
        """
        start = tf.gather_nd(self.starts, tf.stack([case, label], axis=-1))
        listed = label > 0
        at = tf.where(listed, start + rank, tf.zeros_like(rank))
        positions = tf.gather(self.positions, at)
        background = tf.where(~listed)
        found = self._background(
            tf.gather_nd(case, background), tf.gather_nd(rank, background)
        )
        return tf.tensor_scatter_nd_update(
            tf.cast(positions, tf.int64), background, found
        )

    def _background(self, case, rank):
        starts = tf.gather(self.starts, case)[:, 1:]
        ends = starts + tf.gather(self.counts, case)[:, 1:]

        def narrow(number, low, high):
            # Climbing is quick where foreground is sparse, halving bounds the
            # steps where there are long runs of it.
            x = tf.where(number % 2 == 0, low, (low + high) // 2)
            reached = rank + self._foreground_up_to(x, starts, ends)
            before = reached > x
            low = tf.where(before, reached, low)
            high = tf.where(before, high, tf.minimum(x, reached))
            return number + 1, low, high

        most = rank + tf.reduce_sum(ends - starts, axis=1)
        _, x, _ = tf.while_loop(
            lambda _, low, high: tf.reduce_any(low < high),
            narrow,
            [0, rank, most],
        )
        return x

    def _foreground_up_to(self, x, starts, ends):
        """F(x): foreground voxels at positions up to and including x."""
        last = tf.size(self.positions, tf.int64) - 1
        low, high = starts, ends
        for _ in range(self._steps):
            middle = (low + high) // 2
            # An empty range (low = high) may point behind the list.
            value = tf.cast(
                tf.gather(self.positions, tf.minimum(middle, last)), tf.int64
            )
            right = (value <= x[:, None]) & (low < high)
            low = tf.where(right, middle + 1, low)
            high = tf.where(right, high, middle)
        return tf.reduce_sum(low - starts, axis=1)


def _variable(value, dtype, shape):
    return tf.Variable(
        np.array(value, dtype), shape=shape, trainable=False, dtype=dtype
    )
