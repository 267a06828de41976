"""Scans cut into blocks."""

import numpy as np
import pytest

from keras_isample.volumes.block_grid import BlockGrid
from keras_isample.volumes.block_grid import even_sides

SHAPE = (10, 7, 9)


@pytest.mark.parametrize("sides", [(4, 3, 5), (1, 1, 1), (10, 7, 1), SHAPE])
def test_every_voxel_lies_in_one_block(sides):
    grid = BlockGrid(SHAPE, sides)
    found = np.full(SHAPE, -1)
    for block in range(grid.size):
        box = grid.box(block)
        assert (found[box] == -1).all()
        found[box] = block
        assert grid.block_of([part.start for part in box]) == block
        assert grid.block_of([part.stop - 1 for part in box]) == block
    block, _ = grid.find(np.arange(found.size))
    assert (block == found.reshape(-1)).all()


def test_offsets_are_places_in_the_block():
    grid = BlockGrid(SHAPE, (4, 3, 5))
    block, offset = grid.find(np.arange(630))
    for number in range(grid.size):
        box = grid.box(number)
        place = np.argwhere(np.ones([p.stop - p.start for p in box], bool))
        expected = np.ravel_multi_index(place.T, (4, 3, 5))
        assert (offset[block == number] == expected).all()


def test_a_whole_scan_is_one_block():
    grid = BlockGrid.whole(SHAPE)
    assert grid.is_whole and grid.size == 1
    assert grid.box(0) == tuple(slice(0, n) for n in SHAPE)
    block, offset = grid.find(np.array([3, 17]))
    assert block.tolist() == [0, 0] and offset.tolist() == [3, 17]


@pytest.mark.parametrize(
    ("shape", "side", "units", "expected"),
    [
        # 50 in three parts of 20, 12 in one, 33 in two of 20.
        ((50, 12, 33), 20, (4, 4, 4), (20, 12, 20)),
        # 44 in three equal parts, not in two and a rest of 4.
        ((44, 44, 44), 20, (4, 4, 4), (16, 16, 16)),
        # A side that is no multiple is enlarged to one.
        ((50, 50, 50), 18, (8, 8, 8), (24, 24, 24)),
        # Slices across the last axis.
        ((50, 40, 30), 1, (50, 40, 1), (50, 40, 1)),
    ],
)
def test_scans_are_divided_evenly(shape, side, units, expected):
    sides = even_sides(shape, side, units)
    assert sides == expected
