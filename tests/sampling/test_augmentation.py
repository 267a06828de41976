"""Rotation and spacing jitter of a patch."""

import numpy as np
import pytest

from keras_isample.sampling.augmentation import DRAWS
from keras_isample.sampling.augmentation import flip_shifts
from keras_isample.sampling.augmentation import patch_matrices
from keras_isample.sampling.augmentation import slice_matrices

SPACING = (1.0, 0.8, 3.0)


def patch_matrix(draws, spacing, spacing_jitter):
    """The matrix of one patch."""
    return patch_matrices(draws[None], [spacing], spacing_jitter)[0]


def in_mm(matrix, spacing=SPACING):
    """The matrix from mm steps of an unjittered patch to mm in the scan."""
    return np.diag(spacing) @ matrix @ np.diag(1 / np.array(spacing))


def draws_with(at, value):
    draws = np.full(DRAWS, 0.5)
    draws[at] = value
    return draws


def test_draws_in_the_middle_change_nothing():
    matrix = patch_matrix(np.full(DRAWS, 0.5), SPACING, 0.1)
    assert matrix == pytest.approx(np.eye(3))


@pytest.mark.parametrize("axis, degrees", [(0, 4), (1, 4), (2, 10)])
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_largest_angle_about_each_axis(axis, degrees, end):
    turn = in_mm(patch_matrix(draws_with(axis, end), SPACING, 0.1))
    cosine = np.cos(np.radians(degrees))
    diagonal = np.full(3, cosine)
    diagonal[axis] = 1
    assert np.diag(turn) == pytest.approx(diagonal)
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(
        degrees
    )


def test_the_two_ends_turn_opposite_ways():
    left = in_mm(patch_matrix(draws_with(2, 0.0), SPACING, 0.1))
    right = in_mm(patch_matrix(draws_with(2, 1.0), SPACING, 0.1))
    assert left @ right == pytest.approx(np.eye(3))


def test_angle_is_linear_in_the_draw():
    turn = in_mm(patch_matrix(draws_with(2, 0.75), SPACING, 0.1))
    angle = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
    assert abs(angle) == pytest.approx(5)


def test_without_jitter_a_patch_is_turned_rigidly_in_mm():
    rng = np.random.default_rng(0)
    for draws in rng.random((20, DRAWS)):
        turn = in_mm(patch_matrix(draws, SPACING, 0.0))
        assert turn.T @ turn == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end, sign", [(0.0, -1), (1.0, 1)])
def test_spacing_varies_by_a_tenth_of_the_finest(axis, end, sign):
    matrix = patch_matrix(draws_with(3 + axis, end), SPACING, 0.1)
    expected = np.array(SPACING)
    expected[axis] += sign * 0.08
    assert SPACING * np.diag(matrix) == pytest.approx(expected)


def test_jitter_is_that_of_the_patch_axes_also_when_turned():
    rng = np.random.default_rng(1)
    for draws in rng.random((50, DRAWS)):
        matrix = patch_matrix(draws, SPACING, 0.1)
        steps = np.linalg.norm(np.diag(SPACING) @ matrix, axis=0)
        jitter = 0.1 * 0.8 * (2 * draws[3:] - 1)
        assert steps - SPACING == pytest.approx(jitter)


def test_each_patch_has_the_matrix_of_its_own_draws_and_spacing():
    rng = np.random.default_rng(2)
    draws, spacings = rng.random((5, DRAWS)), rng.uniform(1, 3, (5, 3))
    matrices = patch_matrices(draws, spacings, 0.2)
    assert matrices.shape == (5, 3, 3)
    for matrix, *arguments in zip(matrices, draws, spacings, strict=True):
        assert matrix == pytest.approx(patch_matrix(*arguments, 0.2))


def test_slices_are_turned_in_their_plane_only():
    draws = np.random.default_rng(0).random((4, DRAWS))
    flat = np.zeros((4, 3), bool)
    flat[0, 0] = flat[1, 1] = flat[2, 2] = True
    matrices = patch_matrices(draws, np.ones((4, 3)), 0.0, flat)
    for number in range(3):
        # The axis of one voxel stays where it is, and the others turn.
        axis = np.eye(3)[number]
        np.testing.assert_allclose(matrices[number] @ axis, axis, atol=1e-12)
        assert not np.allclose(matrices[number], np.eye(3))
    free = patch_matrices(draws, np.ones((4, 3)), 0.0)
    np.testing.assert_array_equal(matrices[3], free[3])


def slice_draws(kind, turn=0.5):
    """Draws of the kind-th of the four augmentations of a slice."""
    draws = np.full((1, DRAWS), 0.5)
    draws[0, :2] = (kind + 0.5) / 4, turn
    return draws


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_left_or_flipped_along_one_of_its_axes(axis):
    in_plane = [k for k in range(3) if k != axis]
    for kind, flipped in enumerate([None, *in_plane]):
        diagonal = np.ones(3)
        if flipped is not None:
            diagonal[flipped] = -1
        matrix = slice_matrices(slice_draws(kind), [SPACING], axis)[0]
        assert matrix == pytest.approx(np.diag(diagonal))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_slice_is_turned_in_its_plane_by_ten_degrees_at_most(axis, end):
    matrix = slice_matrices(slice_draws(3, end), [SPACING], axis)[0]
    turn = in_mm(matrix)
    assert turn @ turn.T == pytest.approx(np.eye(3))
    assert turn[axis, axis] == 1
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(10)


def test_each_of_the_four_has_the_same_chance():
    draws = np.random.default_rng(0).random((4000, DRAWS))
    matrices = slice_matrices(draws, np.tile(SPACING, (4000, 1)), 2)
    flipped = np.diagonal(matrices, axis1=1, axis2=2) < 0
    turned = matrices[:, 0, 1] != 0
    shares = [*flipped.mean(axis=0), turned.mean()]
    assert shares == pytest.approx([0.25, 0.25, 0, 0.25], abs=0.03)


def test_a_flip_of_an_even_number_of_points_moves_their_center():
    matrices = np.stack([np.diag([-1.0, 1, 1]), np.diag([1, -1.0, 1])])
    assert flip_shifts(matrices, (6, 5, 1)).tolist() == [[-1, 0, 0], [0, 0, 0]]
