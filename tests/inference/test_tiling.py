"""Tiles cover everything once, within memory."""

import numpy as np
import pytest

from keras_isample.inference.tiling import boxes_around
from keras_isample.inference.tiling import regions_of
from keras_isample.inference.tiling import tile_sides
from keras_isample.inference.tiling import tiles_of


def volume(x, y, z):
    return x * y * z


def with_halo(x, y, z):
    return (x + 2) * (y + 2) * (z + 2)


@pytest.mark.parametrize("memory", [1, 7, 40, 10**6])
def test_sides_stay_within_memory(memory):
    sides = tile_sides((9, 10, 4), memory, volume, with_halo)
    assert volume(*sides) <= memory


def test_tiles_of_least_cost():
    # 16 x 4 x 4 in tiles of at most 128: two of 8 x 4 x 4 cost 2 * 360; two
    # of 16 x 2 x 4 cost 2 * 432.
    assert tile_sides((16, 4, 4), 128, volume, with_halo) == [8, 4, 4]


def test_no_tile_is_small_enough():
    assert tile_sides((9, 10, 4), 0, volume, with_halo) is None


def test_every_element_lies_in_one_tile():
    count = np.zeros((7, 5, 4), int)
    for place in tiles_of((0, 0, 0), count.shape, (3, 2, 4)):
        count[place] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 1.0])
def test_boxes_hold_what_is_occupied_and_do_not_overlap(share):
    occupied = np.random.default_rng(0).random((9, 12, 7)) < share
    count = np.zeros(occupied.shape, int)
    for box in boxes_around(occupied, with_halo):
        count[box] += 1
    assert count.max(initial=0) <= 1
    assert (count[occupied] == 1).all()


def test_nothing_occupied_needs_no_box():
    assert boxes_around(np.zeros((3, 3, 3), bool), volume) == []


def test_two_far_ends_are_two_boxes():
    occupied = np.zeros((40, 8, 8), bool)
    occupied[:4] = occupied[-4:] = True
    boxes = boxes_around(occupied, with_halo)
    assert [(box[0].start, box[0].stop) for box in boxes] == [(0, 4), (36, 40)]


def test_a_gap_narrower_than_the_halo_is_not_worth_a_cut():
    occupied = np.ones((8, 4, 4), bool)
    occupied[4] = False
    assert len(boxes_around(occupied, with_halo)) == 1


def test_boxes_are_told_in_units():
    boxes = [np.s_[4:8, 0:3, :], np.s_[8:10, 6:7, 0:8]]
    found = regions_of((10, 7, 8), boxes, (4, 3, 8))
    assert found == [np.s_[1:2, 0:1, 0:1], np.s_[2:3, 2:3, 0:1]]
    assert regions_of((10, 7, 8), None, (4, 3, 8)) == [np.s_[0:3, 0:3, 0:1]]


@pytest.mark.parametrize(
    "box",
    [np.s_[2:8, :, :], np.s_[0:6, :, :], np.s_[0:12, :, :], np.s_[4:4, :, :]],
)
def test_boxes_elsewhere_are_refused(box):
    with pytest.raises(ValueError, match="multiples of"):
        regions_of((10, 8, 8), [box], (4, 4, 4))
