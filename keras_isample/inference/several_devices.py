"""Whole scans predicted by several devices, tile by tile in turn.

Each device has a copy of the network; tiles go to the devices in turn and come
back in order. How a scan is cut does not depend on the devices, so neither does
what is predicted, where they compute alike. Each device takes the memory of its
own tile; beside it, up to two of its results wait in memory.
"""

import collections
import concurrent.futures
import contextlib

import keras
import numpy as np

from keras_isample.inference.base import Predictor

_AHEAD = 2
"""Tiles that a device may be ahead of what has been taken of it."""


class SharingPredictor(Predictor):
    """Predicts whole scans with several devices.

    Has the methods of a predictor of one device. Follows every later update of
    the model's weights.

    Args:
        make: Function without arguments that makes the predictor of a device;
            called once for each.
        devices: Names of devices, such as `"gpu:1"`.

    Attributes:
        first: The predictor of the first device.
        tile_counts: Tiles, or batches of slices, that each device has
            predicted. They differ by one at most.
    """

    def __init__(self, make, devices):
        self.devices = tuple(devices)
        self._predictors = []
        for device in self.devices:
            with keras.device(device):
                self._predictors.append(make())
        self.first = self._predictors[0]
        self.tile_counts = [0] * len(self.devices)

    @property
    def num_classes(self):
        """Number of classes."""
        return self.first.num_classes

    @property
    def num_channels(self):
        """Channels of the image."""
        return self.first.num_channels

    @property
    def setup_multiplications(self):
        """As of `Predictor`."""
        return self.first.setup_multiplications

    def units(self, shape):
        """As of `Predictor`."""
        return self.first.units(shape)

    def multiplications(self, scan, boxes=None):
        """What one device would multiply."""
        return self.first.multiplications(scan, boxes)

    def num_voxels(self, scan, boxes=None):
        """As of `Predictor`."""
        return self.first.num_voxels(scan, boxes)

    def check(self, shape):
        """As of `Predictor`."""
        self.first.check(shape)

    def pieces(self, scan, boxes=None):
        """Predicts pieces, which the devices take in turn."""
        return self._in_turn(
            lambda predictor, part: predictor.pieces(scan, boxes, part)
        )

    def joined(self, scan, boxes, pieces):
        """As of `Predictor`."""
        with contextlib.closing(pieces):
            yield from self.first.joined(scan, boxes, pieces)

    def _in_turn(self, predict):
        """What all devices make, in order.

        Args:
            predict: Function of a predictor and its part `(k, n)` that gives
                an iterator over what is to be made: every n-th piece from the
                k-th on.
        """
        count = len(self.devices)
        # The one that has had the fewest begins.
        order = np.argsort(self.tile_counts, kind="stable").tolist()
        pieces = [
            predict(self._predictors[device], (k, count))
            for k, device in enumerate(order)
        ]

        def make(k):
            with keras.device(self.devices[order[k]]):
                piece = next(pieces[k], None)
                # What it was made in is used for the next one.
                return piece and (piece[0], np.array(piece[1]))

        with contextlib.ExitStack() as stack:
            # A thread of its own for each: TensorFlow's run at the same time.
            pools = [stack.enter_context(_Pool(max_workers=1)) for _ in order]
            waiting = [
                collections.deque(pool.submit(make, k) for _ in range(_AHEAD))
                for k, pool in enumerate(pools)
            ]
            k = 0
            while (piece := waiting[k].popleft().result()) is not None:
                waiting[k].append(pools[k].submit(make, k))
                self.tile_counts[order[k]] += 1
                yield piece
                k = (k + 1) % count


class _Pool(concurrent.futures.ThreadPoolExecutor):
    """A pool that leaves what it has not begun."""

    def __exit__(self, *error):
        self.shutdown(wait=True, cancel_futures=True)
        return False
