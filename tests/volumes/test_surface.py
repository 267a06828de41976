import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from keras_isample.volumes import surface
from keras_isample.volumes.surface import assd
from keras_isample.volumes.surface import hd95
from keras_isample.volumes.surface import nsd
from keras_isample.volumes.surface import surface_distances


def random_pair(seed, shape=(20, 24, 14)):
    """A random structure, and the same displaced, with errors."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.random(shape), 2.0)
    reference = field > np.quantile(field, 0.8)
    noise = ndimage.gaussian_filter(rng.random(shape), 1.5)
    errors = noise > np.quantile(noise, 0.95)
    return reference, np.roll(reference, 1, axis=2) ^ errors


def brute_force_edge(mask):
    """Voxels of which one of the six neighbors is outside, one by one."""
    padded = np.pad(mask, 1)
    edge = []
    for voxel in np.argwhere(mask):
        steps = [*np.eye(mask.ndim, dtype=int), *-np.eye(mask.ndim, dtype=int)]
        if not all(padded[tuple(voxel + 1 + step)] for step in steps):
            edge.append(voxel)
    return np.array(edge)


def voxels(*indices, shape=(12, 12, 12)):
    mask = np.zeros(shape, bool)
    for index in indices:
        mask[index] = True
    return mask


def test_distance_along_each_axis_is_in_mm():
    spacing = (0.5, 2.0, 3.0)
    for axis, mm in enumerate(spacing):
        other = [2, 2, 2]
        other[axis] += 4
        distances = surface_distances(
            voxels((2, 2, 2)), voxels(tuple(other)), spacing
        )
        for directed in distances:
            np.testing.assert_allclose(directed, [4 * mm])


def test_diagonal_distance_is_euclidean():
    distances = surface_distances(
        voxels((0, 0, 0)), voxels((3, 2, 0)), (1.0, 2.0, 5.0)
    )
    np.testing.assert_allclose(distances, [[5.0], [5.0]])


def test_displaced_plate_by_hand():
    reference = np.zeros((6, 6, 9), bool)
    prediction = reference.copy()
    reference[:, :, 2] = prediction[:, :, 4] = True
    distances = surface_distances(reference, prediction, (1.0, 1.0, 1.5))
    assert [len(directed) for directed in distances] == [36, 36]
    assert hd95(*distances) == pytest.approx(3.0)
    assert assd(*distances) == pytest.approx(3.0)
    assert nsd(*distances, tolerance=2.0) == 0.0
    assert nsd(*distances, tolerance=3.0) == 1.0


def test_hd95_is_the_larger_directed_percentile():
    # Of the 20 voxels of the reference one lies 10 mm away: the percentile
    # interpolates 5 % of the way to it. The prediction lies on the reference.
    reference, prediction = np.zeros((2, 30, 4), bool)
    reference[:19, 1] = prediction[:19, 1] = reference[28, 1] = True
    distances = surface_distances(reference, prediction, (1.0, 1.0))
    assert sorted(distances[0])[-2:] == [0.0, 10.0]
    assert hd95(*distances) == pytest.approx(0.5)
    assert assd(*distances) == pytest.approx(10 / 39)
    assert nsd(*distances, tolerance=1.0) == pytest.approx(38 / 39)


def test_inner_voxels_are_no_surface():
    cube = np.zeros((9, 9, 9), bool)
    cube[2:7, 2:7, 2:7] = True
    distances = surface_distances(cube, cube, (1, 1, 1))
    assert [len(directed) for directed in distances] == [125 - 27] * 2


def test_cut_at_the_border_of_the_scan_is_surface():
    mask = np.ones((5, 5, 5), bool)
    distances = surface_distances(mask, mask, (1, 1, 1))
    assert len(distances[0]) == 125 - 27


def test_faces_of_a_single_slice_are_no_surface():
    mask = np.zeros((9, 9, 1), bool)
    mask[2:7, 2:7] = True
    from_reference, _ = surface_distances(mask, mask, (1, 1, 5))
    in_2d, _ = surface_distances(mask[..., 0], mask[..., 0], (1, 1))
    assert len(from_reference) == len(in_2d) == 25 - 9


def test_single_voxel_scan():
    mask = np.ones((1, 1, 1), bool)
    distances = surface_distances(mask, mask, (1, 1, 1))
    assert [directed.tolist() for directed in distances] == [[0.0], [0.0]]


@pytest.mark.parametrize("dense_share", [0.0, 2.0])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_equal_to_brute_force(seed, dense_share, monkeypatch):
    # Once through the distance transform, once through the search tree.
    monkeypatch.setattr(surface, "_DENSE_SHARE", dense_share)
    reference, prediction = random_pair(seed, shape=(11, 14, 8))
    spacing = np.array([0.8, 1.3, 2.5])
    table = cdist(
        brute_force_edge(reference) * spacing,
        brute_force_edge(prediction) * spacing,
    )
    distances = surface_distances(reference, prediction, spacing)
    np.testing.assert_allclose(distances[0], table.min(axis=1), atol=1e-12)
    np.testing.assert_allclose(distances[1], table.min(axis=0), atol=1e-12)


# From MONAI 1.6.1 (PyTorch 2.13.0, SciPy 1.17.1) on `random_pair(seed)`:
# compute_hausdorff_distance(percentile=95), compute_average_surface_distance(
# symmetric=True) and compute_surface_dice(class_thresholds=[1]), then [2].
# MONAI computes in float32.
@pytest.mark.parametrize(
    "seed, spacing, expected",
    [
        (
            0,
            (0.8, 0.8, 2.5),
            (4.0, 0.7833768129348755, 0.7589743733406067, 0.8713286519050598),
        ),
        (
            1,
            (1.0, 1.0, 1.5),
            (
                4.123105525970459,
                0.8256710767745972,
                0.7603268027305603,
                0.9078529477119446,
            ),
        ),
        (
            2,
            (3.0, 0.7, 1.3),
            (
                4.939635753631592,
                0.8138289451599121,
                0.7410339713096619,
                0.8714485168457031,
            ),
        ),
    ],
)
def test_equal_to_monai(seed, spacing, expected):
    distances = surface_distances(*random_pair(seed), spacing)
    computed = (
        hd95(*distances),
        assd(*distances),
        nsd(*distances, tolerance=1.0),
        nsd(*distances, tolerance=2.0),
    )
    assert computed == pytest.approx(expected, rel=1e-6)


def test_cropping_does_not_matter():
    reference, prediction = random_pair(0)
    far = [np.pad(mask, 9) for mask in (reference, prediction)]
    near = surface_distances(reference, prediction, (1, 1, 1))
    for directed, other in zip(
        near, surface_distances(*far, (1, 1, 1)), strict=True
    ):
        np.testing.assert_allclose(directed, other)


def test_rounded_spacing_does_not_miss_the_tolerance():
    distances = surface_distances(
        voxels((2, 2, 2)), voxels((3, 2, 2)), (1.0000001, 1, 1)
    )
    assert nsd(*distances, tolerance=1.0) == 1.0


def test_both_empty_have_no_metric():
    empty = np.zeros((4, 4, 4), bool)
    distances = surface_distances(empty, empty, (1, 1, 1))
    assert hd95(*distances) is None
    assert assd(*distances) is None
    assert nsd(*distances, tolerance=1.0) is None


@pytest.mark.parametrize("first", ["full", "empty"])
def test_one_empty_has_nsd_zero_and_no_distance(first):
    pair = [np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool)]
    if first == "empty":
        pair.reverse()
    distances = surface_distances(*pair, (1, 1, 1))
    assert np.isinf(np.concatenate(distances)).all()
    assert hd95(*distances) is None
    assert assd(*distances) is None
    assert nsd(*distances, tolerance=1.0) == 0.0


@pytest.mark.parametrize(
    "other, spacing, words",
    [
        ((4, 4, 3), (1, 1, 1), "one shape"),
        ((4, 4, 4), (1, 1), "spacing"),
        ((4, 4, 4), (1, 1, 0), "spacing"),
    ],
)
def test_bad_input_is_refused(other, spacing, words):
    with pytest.raises(ValueError, match=words):
        surface_distances(
            np.ones((4, 4, 4), bool), np.ones(other, bool), spacing
        )
