"""Whole-scan inference with a 3D U-Net, tile by tile.

Equal to one pass over the whole scan (within float rounding). One pass means:
the scan is padded with the outside value, at the ends of its axes, to multiples
of what the poolings need, and the convolutions pad with zeros around that. A
tile starts at such a multiple, so that its poolings see the same voxels
together, and reads a halo as wide as the network sees. At the borders of the
scan the halo ends, so that the zeros come where they come in one pass.
"""

import itertools
import logging
from collections import Counter

import numpy as np

from keras_isample.inference.base import Predictor
from keras_isample.inference.image_network import ImageNetwork
from keras_isample.inference.tile_memory import TileMemoryError
from keras_isample.inference.tile_memory import plain_tile_memory
from keras_isample.inference.tiling import regions_of
from keras_isample.inference.tiling import tile_sides
from keras_isample.inference.tiling import tiles_of
from keras_isample.models.segmentation_model import geometry_of

log = logging.getLogger(__name__)

_DEAR = 10
"""Times the voxels of one pass from which on the user is told."""


class PlainPredictor(Predictor):
    """Predicts whole scans with a 3D network of one image.

    Follows every later update of the model's weights.

    Args:
        model: A 3D network of this package (softmax or logits).
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, as `plain_tile_memory` says.

    Attributes:
        halo: Blocks around a tile that it reads, a block being a cube of
            `multiple` voxels a side.
    """

    def __init__(self, model, tile_memory=None):
        self._network = ImageNetwork(model)
        self.num_classes = self._network.num_classes
        self.num_channels = self._network.num_channels
        self._multiple = self._network.multiple
        self.halo = -(-geometry_of(model).halo // self._multiple)
        self._memory = (
            plain_tile_memory() if tile_memory is None else tile_memory
        )

    def units(self, shape):
        """As of `Predictor`."""
        return (self._multiple,) * len(shape)

    def pieces(self, scan, boxes=None, part=(0, 1)):
        """Predicts tiles; see `Predictor`.

        Raises:
            TileMemoryError: If `tile_memory` does not allow the smallest tile
                of this scan with its halo.
            ValueError: If channels do not fit.
        """
        self.check_channels(scan)
        self._network.update()
        multiple = self._multiple
        places = self._places(scan.shape, boxes)
        for place, first, stop in itertools.islice(
            places, part[0], None, part[1]
        ):
            image = scan.read(
                [multiple * a for a in first], [multiple * b for b in stop]
            )
            inner = tuple(
                slice(
                    multiple * (part.start - a),
                    min(multiple * part.stop, n) - multiple * a,
                )
                for part, a, n in zip(place, first, scan.shape, strict=True)
            )
            start = tuple(multiple * part.start for part in place)
            yield start, self._network(image[None])[0][inner]

    def multiplications(self, scan, boxes=None):
        """As of `Predictor`."""
        sizes = Counter(
            tuple(
                self._multiple * (b - a)
                for a, b in zip(first, stop, strict=True)
            )
            for _, first, stop in self._places(scan.shape, boxes)
        )
        return sum(
            count * self._network.multiplications(sides)
            for sides, count in sizes.items()
        )

    def _places(self, shape, boxes):
        """Tiles of boxes, and where what they read begins and stops.

        All are in blocks of `multiple` voxels a side.
        """
        blocks = [-(-n // self._multiple) for n in shape]
        for region in regions_of(shape, boxes, self.units(shape)):
            first = [part.start for part in region]
            stop = [part.stop for part in region]
            sides = self.tile_sides(
                [b - a for a, b in zip(first, stop, strict=True)], blocks
            )
            for place in tiles_of(first, stop, sides):
                yield (
                    place,
                    [max(0, part.start - self.halo) for part in place],
                    [
                        min(n, part.stop + self.halo)
                        for n, part in zip(blocks, place, strict=True)
                    ],
                )

    def check(self, shape):
        """As of `Predictor`."""
        blocks = [-(-n // self._multiple) for n in shape]
        sides = self.tile_sides(blocks)
        tiles = [-(-n // side) for n, side in zip(blocks, sides, strict=True)]
        computed = np.prod(tiles) * self._voxels(blocks, *sides)
        times = computed / (self._multiple**3 * np.prod(blocks))
        if times > _DEAR:
            log.warning(
                "a scan of %s voxels is predicted in tiles that compute %.0f "
                "times as many; more `tile_memory`, or a smaller `width`, is "
                "faster",
                " x ".join(map(str, shape)),
                times,
            )

    def tile_bytes(self, blocks, x, y, z):
        """Bytes that a tile of these sides takes, in a scan of `blocks`."""
        per_voxel = self._network.bytes_per_voxel
        per_voxel += 4 * (self.num_classes + self.num_channels)
        return per_voxel * self._voxels(blocks, x, y, z)

    def tile_sides(self, blocks, scan=None):
        """Sides of the tiles of a scan of `blocks`, in blocks.

        The thickness of a slab of tiles is such that a caller can hold the
        probabilities of the slab, too.

        Args:
            blocks: Sides of what is predicted.
            scan: Those of the scan that it is a part of, where its halo ends;
                the same if `None`.

        Raises:
            TileMemoryError: If not even the smallest tile is allowed.
        """
        scan = scan or blocks
        row = 4 * self.num_classes * self._multiple**3 * blocks[1] * blocks[2]
        rows = max(1, int(self._memory / 2 / row))

        def bytes_of(x, y, z):
            # One row is always allowed.
            wanted = self.tile_bytes(scan, x, y, z)
            return np.where(x <= rows, wanted, np.inf)

        def cost_of(x, y, z):
            return self._voxels(scan, x, y, z)

        sides = tile_sides(blocks, self._memory, bytes_of, cost_of)
        if sides is None:
            least = int(self.tile_bytes(scan, 1, 1, 1))
            raise TileMemoryError(
                "Argument `tile_memory` must allow a tile of "
                f"{self._multiple} voxels a side with what the network sees "
                f"around it, {least} bytes. Received: "
                f"tile_memory={self._memory}. Use more, or a network of "
                "smaller width.",
                least,
            )
        return sides

    def _voxels(self, blocks, *sides):
        """Voxels of a tile with its halo, which ends with the scan."""
        voxels = 1
        for n, side in zip(blocks, sides, strict=True):
            seen = np.minimum(side + 2 * self.halo, n)
            voxels = voxels * self._multiple * seen
        return voxels
