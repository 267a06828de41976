"""Whole-scan inference with the dual-path network, tile by tile.

Equal to one pass over the whole scan (within float rounding): convolutions are
valid, tiles start at multiples of 4 voxels, and each reads a halo of 14 voxels
and of 15 context voxels. What makes it fast:

- Normalization is folded into the convolutions.
- The low-resolution path runs over the scan in tiles of its own, not once per
  tile of the high-resolution path.
- `W [a; up(b)] = W_a a + up(W_b b)`: the first fully connected layer acts on
  the low-resolution maps before they are repeated, and the concatenation is
  avoided.
- The layers after the last 3x3x3 convolution see single voxels. They have most
  of the maps, and run in pieces, whose maps take little memory; so tiles can
  be large, and few voxels are computed twice.
- Where the high-resolution input is the constant outside value, its maps are
  one constant vector and the result is constant within a context voxel.
"""

import math

import numpy as np
from scipy import ndimage

from keras_isample.inference.base import Predictor
from keras_isample.inference.dual_path_parts import DualPathParts
from keras_isample.inference.tile_memory import DEFAULT_TILE_MEMORY
from keras_isample.inference.tile_memory import TileMemoryError
from keras_isample.inference.tiling import boxes_around
from keras_isample.inference.tiling import regions_of
from keras_isample.inference.tiling import tile_sides
from keras_isample.inference.tiling import tiles_of
from keras_isample.inference.tiling import voxels_with_halo
from keras_isample.models.dual_path_geometry import CONTEXT_HALO
from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO

_COST_HALO = 10
"""Voxels beyond a tile that its average multiplication sees. Most of them are
in the last convolutions, whose halo is small."""


class DualPathPredictor(Predictor):
    """Predicts whole scans with a dual-path model.

    Follows every later update of the model's weights.

    Args:
        model: What `dual_path_resnet` returned (softmax or logits).
        tile_memory: About how many bytes the maps of one tile may take.

    Raises:
        TileMemoryError: If `tile_memory` does not allow the smallest tile.
    """

    def __init__(self, model, tile_memory=DEFAULT_TILE_MEMORY):
        self.num_classes = model.outputs[0].shape[-1]
        self.num_channels = model.inputs[0].shape[-1]
        self._context_width = model.metadata["context_width"]
        self._memory = tile_memory
        self._parts = DualPathParts(model)
        least = self.tile_bytes(1, 1, 1)
        if least > tile_memory:
            raise TileMemoryError(
                "Argument `tile_memory` must allow a tile of 4 voxels a side, "
                f"{least} bytes. "
                f"Received: tile_memory={tile_memory}.",
                int(least),
            )

    def units(self, shape):
        """As of `Predictor`."""
        return (CONTEXT_STRIDE,) * len(shape)

    def pieces(self, scan, boxes=None, part=(0, 1)):
        """Predicts tiles; see `Predictor`."""
        self.check_channels(scan)
        self._parts.update()
        empty = self._constant_share(scan)
        before = 0
        for region in regions_of(scan.shape, boxes, self.units(scan.shape)):
            near = _near(scan, region)
            sides, slabs = self._plan(near)
            count = sum(len(tiles) for _, _, tiles in slabs)
            wanted = set(range((part[0] - before) % part[1], count, part[1]))
            before += count
            if wanted:
                yield from self._tiles_of(
                    scan, region, empty, sides, slabs, wanted
                )

    def multiplications(self, scan, boxes=None):
        """As of `Predictor`."""
        total = self.setup_multiplications
        for region in regions_of(scan.shape, boxes, self.units(scan.shape)):
            total += self._region_multiplications(scan, region)
        return total

    @property
    def setup_multiplications(self):
        """As of `Predictor`."""
        return self._parts.constant_multiplications()

    def _region_multiplications(self, scan, region):
        parts, total = self._parts, 0
        near = _near(scan, region)
        _, slabs = self._plan(near)
        for slab, stop, tiles in slabs:
            shape = (stop - slab, *near.shape[1:])
            sides = self._context_sides(shape)
            for place in tiles_of((0, 0, 0), shape, sides):
                total += parts.context_multiplications(_sides(place))
            for place, boxes in tiles:
                within = [_sides(box) for box in boxes]
                if sum(map(math.prod, within)) < math.prod(_sides(place)):
                    total += parts.fill_multiplications(_sides(place))
                total += sum(map(parts.tile_multiplications, within))
        return total

    def _tiles_of(self, scan, region, empty, sides, slabs, wanted):
        """What `tiles` yields of a region, in context voxels.

        The region is cut as `_plan` says; `wanted` has the numbers of the
        tiles that are made.
        """
        context = self._context(scan, region)
        shape = _sides(region)
        # New memory for each tile would cost more than filling it.
        results = np.empty(
            (
                np.prod(np.minimum(sides, shape)) * CONTEXT_STRIDE**3,
                self.num_classes,
            ),
            np.float32,
        )
        before = 0
        for slab, slab_stop, tiles in slabs:
            chosen = [t for i, t in enumerate(tiles, before) if i in wanted]
            before += len(tiles)
            if not chosen:
                continue
            coarse = self._coarse_maps(context, slab, slab_stop)
            for place, boxes in chosen:
                rows = slice(place[0].start - slab, place[0].stop - slab)
                start = [
                    part.start + whole.start
                    for part, whole in zip(place, region, strict=True)
                ]
                maps = coarse[(rows, *place[1:])]
                shape = [CONTEXT_STRIDE * n for n in maps.shape[:3]]
                tile = results[: np.prod(shape)].reshape(*shape, -1)
                self._fill_constant(boxes, empty, maps, tile)
                for box in boxes:
                    self._predict_box(scan, start, box, maps, tile)
                first = tuple(CONTEXT_STRIDE * a for a in start)
                inside = tuple(
                    slice(0, n - a)
                    for n, a in zip(scan.shape, first, strict=True)
                )
                yield first, tile[inside]

    def tile_bytes(self, x, y, z):
        """Bytes that a tile of these sides, in context voxels, takes."""
        return self._parts.tile_bytes(x, y, z)

    def tile_sides(self, blocks):
        """Sides of the tiles of a scan of `blocks` context voxels, in these.

        The thickness of a slab of tiles is such that a caller can hold the
        probabilities of the slab, too.

        Args:
            blocks: Three integers.

        Returns:
            Three integers.
        """
        row = 4 * self.num_classes * CONTEXT_STRIDE**3 * blocks[1] * blocks[2]
        rows = max(1, int(self._memory / 2 / row))

        def bytes_of(x, y, z):
            # One row is always allowed.
            wanted = self._parts.tile_bytes(x, y, z)
            return np.where(x <= rows, wanted, np.inf)

        return tile_sides(blocks, self._memory, bytes_of, _tile_cost)

    def _plan(self, near):
        """How a scan, or a region of it, is cut.

        Returns:
            Sides of a tile, and slabs as of `_slabs`.
        """
        sides = self.tile_sides(near.shape)
        return sides, self._slabs(near, sides)

    def _slabs(self, near, sides):
        """Slabs of tiles, with the boxes of each tile that are not constant.

        Args:
            near: Where the high-resolution path is not constant, bool, in
                context voxels.
            sides: Of a tile.

        Returns:
            Triples of the first row, the row after the last one, and pairs of
            a tile's place and its boxes, whose origin is that of the tile.
        """
        rows, *others = near.shape
        thickness = self._slab_thickness(near.shape, sides[0])
        slabs = []
        for slab in range(0, rows, thickness):
            stop = min(slab + thickness, rows)
            places = tiles_of((slab, 0, 0), (stop, *others), sides)
            tiles = [(p, boxes_around(near[p], _tile_cost)) for p in places]
            slabs.append((slab, stop, tiles))
        return slabs

    def _fill_constant(self, boxes, empty, coarse, result):
        """Writes what a tile has outside the boxes, or nothing if no voxel."""
        sides = coarse.shape[:3]
        covered = sum(np.prod(_sides(box)) for box in boxes)
        if covered == np.prod(sides):
            return
        constant = self._parts.classify_constant(empty, coarse)
        fine = result.reshape(
            [n for side in sides for n in (side, CONTEXT_STRIDE)]
            + [self.num_classes]
        )
        fine[...] = constant[:, None, :, None, :, None]

    def _predict_box(self, scan, start, box, coarse, result):
        """Writes the probabilities of a box into a tile's `result`.

        The tile begins at `start`; both are in context voxels.
        """
        first = [
            CONTEXT_STRIDE * (a + part.start) - IMAGE_HALO
            for a, part in zip(start, box, strict=True)
        ]
        stop = [
            a + CONTEXT_STRIDE * n + 2 * IMAGE_HALO
            for a, n in zip(first, _sides(box), strict=True)
        ]
        fine = tuple(
            slice(CONTEXT_STRIDE * p.start, CONTEXT_STRIDE * p.stop)
            for p in box
        )
        image = scan.read(first, stop)
        self._parts.classify(image, coarse[box], result[fine])

    def _constant_share(self, scan):
        """Hidden layer's share of the high-resolution path where it is air."""
        side = 2 * IMAGE_HALO + CONTEXT_STRIDE
        image = scan.read([-side] * 3, [0] * 3)
        return self._parts.constant_share(image)

    def _context(self, scan, region):
        """Context voxels of a region with their halo, anchored at voxel 0."""
        width, stride = self._context_width, CONTEXT_STRIDE
        shape = [n + 2 * CONTEXT_HALO for n in _sides(region)]
        result = np.empty((*shape, scan.num_channels), np.float32)
        result[:] = scan.read([-1, -1, -1], [0, 0, 0])
        # What lies in the scan; further context voxels have the outside value.
        first = [part.start - CONTEXT_HALO for part in region]
        known = [
            slice(max(0, a), min(-(-n // stride), a + side))
            for a, n, side in zip(first, scan.shape, shape, strict=True)
        ]
        inner = result[
            tuple(
                slice(part.start - a, part.stop - a)
                for part, a in zip(known, first, strict=True)
            )
        ]
        for target, row in zip(
            inner, range(known[0].start, known[0].stop), strict=True
        ):
            slab = scan.read(
                (stride * row, *(stride * part.start for part in known[1:])),
                (
                    stride * row + width,
                    *(stride * part.stop for part in known[1:]),
                ),
            )
            columns, depth = target.shape[:2]
            slab = slab.mean(axis=0).reshape(columns, stride, depth, stride, -1)
            target[...] = slab[:, :width, :, :width].mean(axis=(1, 3))
        return result

    def _coarse_maps(self, context, first, stop):
        """The hidden layer's share of context rows `[first, stop)`."""
        halo = 2 * CONTEXT_HALO
        shape = (stop - first, *(n - halo for n in context.shape[1:3]))
        result = np.empty((*shape, self._parts.hidden), np.float32)
        sides = self._context_sides(shape)
        for place in tiles_of((0, 0, 0), shape, sides):
            source = tuple(
                slice(part.start + shift, part.stop + shift + halo)
                for part, shift in zip(place, (first, 0, 0), strict=True)
            )
            result[place] = self._parts.context_share(context[source])
        return result

    def _context_sides(self, shape):
        """Sides of the tiles of the low-resolution path."""
        sides = tile_sides(
            shape, self._memory / 2, self._parts.context_bytes, _context_cost
        )
        return sides or (1, 1, 1)

    def _slab_thickness(self, blocks, side):
        """Context rows whose low-resolution maps are held at the same time."""
        row = 4 * blocks[1] * blocks[2] * self._parts.hidden
        rows = max(1, int(self._memory / 2 / row))
        if rows >= blocks[0]:
            return blocks[0]
        return rows if rows < side else rows // side * side


def _near(scan, region):
    """Where the high-resolution path is not constant, bool, in context voxels.

    Args:
        scan: A `Scan`.
        region: Triple of slices, in context voxels.
    """
    reach = -(-IMAGE_HALO // CONTEXT_STRIDE)
    blocks = [-(-n // CONTEXT_STRIDE) for n in scan.shape]
    around = tuple(
        slice(max(0, part.start - reach), min(n, part.stop + reach))
        for part, n in zip(region, blocks, strict=True)
    )
    near = ndimage.maximum_filter(
        scan.occupied_blocks(CONTEXT_STRIDE, around),
        2 * reach + 1,
        mode="constant",
    )
    return near[
        tuple(
            slice(part.start - wide.start, part.stop - wide.start)
            for part, wide in zip(region, around, strict=True)
        )
    ]


def _sides(box):
    return [part.stop - part.start for part in box]


def _tile_cost(x, y, z):
    """Voxels that an average multiplication of a tile sees."""
    return voxels_with_halo((x, y, z), CONTEXT_STRIDE, _COST_HALO)


def _context_cost(x, y, z):
    return voxels_with_halo((x, y, z), 1, _COST_HALO)
