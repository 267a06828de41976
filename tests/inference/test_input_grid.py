"""Interpolated probabilities against a naive interpolation of all of them."""

import numpy as np
import pytest
from scipy import ndimage

from keras_isample.inference.input_grid import InputGrid

CLASSES = 4


def smooth_probabilities(shape, seed=0):
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(
        rng.normal(size=(*shape, CLASSES)), (1, 1, 1, 0)
    )
    p = np.exp(12 * z)
    return (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


def naive(p, spacing, shape, input_spacing):
    """Every class interpolated everywhere; both grids share their center."""
    places = [
        (n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * t / s
        for n, s, m, t in zip(
            p.shape, spacing, shape, input_spacing, strict=False
        )
    ]
    points = np.meshgrid(*places, indexing="ij")
    return np.stack(
        [
            ndimage.map_coordinates(
                p[..., k].astype(np.float64), points, order=1, mode="nearest"
            )
            for k in range(p.shape[-1])
        ],
        axis=-1,
    )


def collected(grid, p, thickness, width=None):
    """Feeds `p` slab by slab, in tiles of `width` along the last two axes."""
    width = width or max(p.shape)
    for x in range(0, p.shape[0], thickness):
        for y in range(0, p.shape[1], width):
            for z in range(0, p.shape[2], width):
                tile = p[x : x + thickness, y : y + width, z : z + width]
                grid.add((x, y, z), tile)
    return grid.finish()


GRIDS = [
    # shape, spacing, shape and spacing of the input
    ((8, 9, 10), (1, 1, 1.5), (8, 9, 10), (1, 1, 1.5)),
    ((8, 9, 10), (1, 1, 1.5), (12, 13, 5), (0.7, 0.7, 3)),
    ((8, 9, 10), (1, 1, 1.5), (3, 4, 30), (2.5, 2, 0.5)),
    ((13, 5, 6), (2, 2, 2), (40, 10, 12), (0.65, 1, 1)),
    ((1, 6, 6), (4, 1, 1), (9, 6, 6), (0.5, 1, 1)),
]


@pytest.mark.parametrize("thickness, width", [(1, None), (4, 4), (100, None)])
@pytest.mark.parametrize("shape, spacing, new_shape, new_spacing", GRIDS)
def test_labels_are_the_largest_interpolated_probability(
    shape, spacing, new_shape, new_spacing, thickness, width
):
    p = smooth_probabilities(shape)
    grid = InputGrid(shape, spacing, new_shape, new_spacing, CLASSES)
    labels = collected(grid, p, thickness, width)
    expected = naive(p, spacing, new_shape, new_spacing)
    assert labels.shape == new_shape and labels.dtype == np.uint8
    wrong = labels != expected.argmax(axis=-1)
    first, second = np.sort(expected, axis=-1)[..., :-3:-1].T
    # Only ties may fall either way.
    assert not (wrong & (first - second > 1e-5).T).any()
    assert len(np.unique(labels)) > 1


@pytest.mark.parametrize("thickness", [1, 3, 100])
@pytest.mark.parametrize("shape, spacing, new_shape, new_spacing", GRIDS)
def test_probabilities_are_interpolated_linearly(
    shape, spacing, new_shape, new_spacing, thickness
):
    p = smooth_probabilities(shape, 1)
    grid = InputGrid(
        shape, spacing, new_shape, new_spacing, CLASSES, keep_probabilities=True
    )
    labels = collected(grid, p, thickness)
    expected = naive(p, spacing, new_shape, new_spacing)
    assert np.abs(grid.probabilities - 255 * expected).max() <= 0.501
    assert (labels == expected.argmax(axis=-1)).mean() > 0.999


def test_without_asking_no_probabilities_are_kept():
    grid = InputGrid((2, 2, 2), (1, 1, 1), (2, 2, 2), (1, 1, 1), CLASSES)
    assert grid.probabilities is None


def test_probabilities_and_not_labels_are_interpolated():
    # Class 0 is sure on the left, classes 1 and 2 share the right: halfway
    # class 0 still has 0.5 and the others 0.26 and 0.24.
    p = np.zeros((2, 1, 1, 3), np.float32)
    p[0, 0, 0], p[1, 0, 0] = (1, 0, 0), (0, 0.52, 0.48)
    grid = InputGrid((2, 1, 1), (1, 1, 1), (5, 1, 1), (0.25, 1, 1), 3)
    # Shares of the right neighbor: 0, 0.25, 0.5, 0.75 and 1.
    assert collected(grid, p, 1).ravel().tolist() == [0, 0, 0, 1, 1]


def test_no_more_than_a_slab_and_a_row_is_held():
    grid = InputGrid((40, 4, 4), (1, 1, 1), (40, 4, 8), (1, 1, 0.5), CLASSES)
    p = smooth_probabilities((40, 4, 4))
    held = set()
    for x in range(0, 40, 4):
        grid.add((x, 0, 0), p[x : x + 4])
        held.add(id(grid._slabs))
        assert len(grid._slab) <= len(grid._slabs) <= 5
    assert len(held) == 1
    assert grid.finish().any()


def test_on_the_same_grid_no_slab_is_held_and_tiles_come_in_any_order():
    shape = (6, 5, 4)
    p = smooth_probabilities(shape)
    grid = InputGrid(
        shape, (1, 1, 1.5), shape, (1, 1, 1.5), CLASSES, keep_probabilities=True
    )
    for x, y in [(3, 0), (0, 2), (3, 2), (0, 0)]:
        stop = 2 if y == 0 else 5
        grid.add((x, y, 0), p[x : x + 3, y:stop])
    assert grid._slab is None
    assert (grid.finish() == p.argmax(axis=-1)).all()
    assert np.abs(grid.probabilities - 255 * p).max() <= 0.501
