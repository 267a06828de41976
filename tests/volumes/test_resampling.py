"""Resampling: every voxel keeps its place in the world."""

import nibabel as nib
import numpy as np
import pytest

from keras_isample.volumes import resampling
from keras_isample.volumes.resampling import axis_positions
from keras_isample.volumes.resampling import remaining_labels
from keras_isample.volumes.resampling import resample_slabs
from keras_isample.volumes.resampling import resample_volume
from keras_isample.volumes.resampling import resampled_shape
from keras_isample.volumes.volume import Volume

RNG = np.random.default_rng(0)


def affine_of(spacing, angles=(0, 0, 0), origin=(-30, 12, 5)):
    rotation = nib.eulerangles.euler2mat(*angles)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


def world_positions(volume):
    grid = np.stack(np.indices(volume.shape), axis=-1)
    return nib.affines.apply_affine(volume.affine, grid)


def ramp(shape, affine, slope=(0.7, -1.3, 0.4)):
    """A scan whose values grow linearly through the world."""
    positions = world_positions(Volume(np.zeros(shape), affine))
    return Volume((positions @ slope).astype(np.float32), affine)


SPACINGS = [
    ((1, 1, 1), (2, 2, 2)),
    ((1, 1, 1), (0.5, 0.5, 0.5)),
    ((0.8, 0.8, 3), (1, 1, 1.5)),
    ((1, 1, 1.5), (1.7, 0.9, 1.5)),
    ((2, 2, 2), (3, 5, 7)),
]


@pytest.mark.parametrize("old, new", SPACINGS)
@pytest.mark.parametrize("shape", [(12, 13, 14), (9, 16, 5)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (0.1, -0.3, 0.2)])
def test_ramp_stays_the_ramp(old, new, shape, angles):
    volume = ramp(shape, affine_of(old, angles))
    resampled = resample_volume(volume, new)
    assert resampled.spacing == pytest.approx(new)
    expected = world_positions(resampled) @ (0.7, -1.3, 0.4)
    inside = tuple(
        slice(np.count_nonzero(p < 0), np.count_nonzero(p <= n - 1))
        for n, s, m, t in zip(shape, old, resampled.shape, new, strict=True)
        for p in [axis_positions(n, s, m, t)]
    )
    assert expected[inside].size > 0.3 * expected.size
    np.testing.assert_allclose(
        resampled.array[inside], expected[inside], atol=1e-4
    )


@pytest.mark.parametrize("old, new", SPACINGS)
def test_center_of_the_scan_stays(old, new):
    volume = ramp((12, 13, 7), affine_of(old, (0.2, 0.1, 0)))
    resampled = resample_volume(volume, new)
    centers = [
        nib.affines.apply_affine(v.affine, (np.array(v.shape) - 1) / 2)
        for v in (volume, resampled)
    ]
    np.testing.assert_allclose(centers[0], centers[1], atol=1e-9)


def test_directions_stay():
    volume = ramp((6, 7, 8), affine_of((1, 2, 3), (0.2, 0.1, 0.3)))
    resampled = resample_volume(volume, (2, 2, 2))
    before = volume.affine[:3, :3] / (1, 2, 3)
    np.testing.assert_allclose(resampled.affine[:3, :3] / 2, before, atol=1e-12)


def test_zoom_end_to_end_would_be_seen():
    # scipy.ndimage.zoom puts the samples at 0, 2.25, ... 9.
    positions = axis_positions(10, 1.0, 5, 2.0)
    assert positions.tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]


@pytest.mark.parametrize(
    "shape, old, new, expected",
    [
        ((10, 11, 12), (1, 1, 1), (2, 2, 2), (5, 6, 6)),
        ((10, 10, 10), (1, 1, 1), (3, 0.5, 1), (3, 20, 10)),
        ((1, 1, 3), (1, 5, 1), (4, 1, 9), (1, 5, 1)),
    ],
)
def test_shape_covers_the_same_extent(shape, old, new, expected):
    assert resampled_shape(shape, old, new) == expected


@pytest.mark.parametrize("kind, dtype", [("linear", "f4"), ("labels", "u1")])
def test_same_spacing_gives_the_same_voxels(kind, dtype):
    array = RNG.integers(0, 200, (5, 6, 7)).astype(dtype)
    volume = Volume(array, affine_of((1, 1.2, 3), (0.1, 0.2, 0.3)))
    resampled = resample_volume(volume, volume.spacing, kind=kind)
    assert np.array_equal(resampled.array, array)
    assert resampled.array.dtype == array.dtype
    np.testing.assert_allclose(resampled.affine, volume.affine, atol=1e-9)
    assert resampled.array is not array


def test_integers_become_float32():
    volume = Volume(np.ones((4, 4, 4), np.int16), np.eye(4))
    assert resample_volume(volume, (2, 2, 2)).array.dtype == np.float32
    assert resample_volume(volume, (1, 1, 1)).array.dtype == np.float32


def test_single_slice_stays_one():
    volume = ramp((12, 13, 1), affine_of((1, 1, 5)), slope=(0.7, -1.3, 0))
    resampled = resample_volume(volume, (2, 2, 5))
    assert resampled.shape == (6, 6, 1)
    expected = world_positions(resampled) @ (0.7, -1.3, 0)
    np.testing.assert_allclose(resampled.array, expected, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_single_slice_stays_one_whatever_its_thickness(axis):
    shape, spacing = [4, 4, 4], [1, 1, 1]
    shape[axis], spacing[axis] = 1, 5
    volume = Volume(np.full(shape, 7.0), affine_of(spacing))
    resampled = resample_volume(volume, (2, 2, 2))
    assert resampled.shape == tuple(1 if n == 1 else 2 for n in shape)
    assert resampled.spacing == tuple(5 if n == 1 else 2 for n in shape)
    assert np.all(resampled.array == 7)


def test_scan_smaller_than_a_voxel_keeps_its_middle():
    volume = ramp((3, 3, 3), affine_of((1, 1, 1)))
    resampled = resample_volume(volume, (20, 20, 20))
    assert resampled.shape == (1, 1, 1)
    assert resampled.array.item() == pytest.approx(volume.array[1, 1, 1])


def blobs(shape=(30, 31, 32), number=4):
    """Labels in smooth regions, with much background."""
    rng = np.random.default_rng(1)
    array = np.zeros(shape, np.uint8)
    grid = np.stack(np.indices(shape), axis=-1)
    for label in range(1, number + 1):
        center = rng.uniform(6, 24, 3)
        array[np.linalg.norm(grid - center, axis=-1) < 6] = label
    return array


@pytest.mark.parametrize("new", [(2, 2, 2), (0.6, 0.7, 0.8), (1.3, 3, 0.9)])
def test_labels_are_none_but_those_that_were_there(new):
    array = np.where(blobs() == 2, 200, 5 * blobs()).astype(np.uint8)
    resampled = resample_volume(Volume(array, np.eye(4)), new, kind="labels")
    assert resampled.array.dtype == np.uint8
    assert set(np.unique(resampled.array)) <= set(np.unique(array))


@pytest.mark.parametrize(
    "new, tolerance",
    [
        ((0.6, 0.7, 0.8), 0.03),
        ((1.3, 3, 0.9), 0.05),
        ((1.9, 2.1, 2.2), 0.05),
        # Half the resolution exactly: ties go to the foreground.
        ((2, 2, 2), 0.15),
    ],
)
def test_volumes_are_kept_about(new, tolerance):
    array = blobs(number=1)
    resampled = resample_volume(Volume(array, np.eye(4)), new, kind="labels")
    before = np.count_nonzero(array)
    after = np.count_nonzero(resampled.array) * np.prod(new)
    assert after == pytest.approx(before, rel=tolerance)


def test_labels_lie_where_they_lay():
    volume = Volume(blobs(number=1), affine_of((1, 1, 1), (0.1, 0.2, 0.3)))
    resampled = resample_volume(volume, (1.7, 1.2, 0.8), kind="labels")
    centers = [
        world_positions(v)[v.array > 0].mean(axis=0)
        for v in (volume, resampled)
    ]
    assert np.linalg.norm(centers[0] - centers[1]) < 0.15


def test_order_of_the_classes_does_not_matter():
    array = blobs()
    renamed = np.array([0, 3, 1, 4, 2], np.uint8)
    new = (1.37, 0.83, 1.91)
    direct = resample_volume(
        Volume(renamed[array], np.eye(4)), new, kind="labels"
    )
    after = resample_volume(Volume(array, np.eye(4)), new, kind="labels")
    assert np.array_equal(direct.array, renamed[after.array])


def test_labels_are_the_largest_share():
    array = RNG.integers(0, 4, (9, 8, 7)).astype(np.uint8)
    volume = Volume(array, np.eye(4))
    new = (1.37, 0.83, 1.91)
    resampled = resample_volume(volume, new, kind="labels").array
    shares = np.stack(
        [
            resample_volume(Volume((array == k) * 1.0, np.eye(4)), new).array
            for k in range(4)
        ]
    )
    winner = np.take_along_axis(shares, resampled[None].astype(int), 0)[0]
    assert np.all(winner >= shares.max(axis=0) - 1e-4)


@pytest.mark.parametrize("start", range(6))
def test_line_of_one_voxel_survives_half_the_resolution(start):
    array = np.zeros((12, 12, 12), np.uint8)
    array[start + 3, 6, :] = 1
    volume = Volume(array, np.eye(4))
    resampled = resample_volume(volume, (2, 1, 2), kind="labels").array
    assert resampled.any(axis=(0, 1)).all()


def test_thin_sheet_keeps_its_volume_on_average():
    # Wherever it lies: a slip of half a voxel would favor some places.
    kept = []
    for place in range(5, 15):
        array = np.zeros((20, 4, 4), np.uint8)
        array[place : place + 2] = 1
        resampled = resample_volume(
            Volume(array, np.eye(4)), (1.3, 1, 1), kind="labels"
        )
        kept.append(np.count_nonzero(resampled.array) * 1.3 / 32)
    assert np.mean(kept) == pytest.approx(1, abs=0.15)
    assert min(kept) > 0


def test_labels_at_the_border_reach_the_border():
    array = np.ones((5, 6, 7), np.uint8)
    for new in ((0.5, 0.5, 0.5), (2, 2, 2), (1.3, 0.7, 3)):
        resampled = resample_volume(
            Volume(array, np.eye(4)), new, kind="labels"
        )
        assert np.all(resampled.array == 1)


def test_empty_label_map_stays_empty():
    volume = Volume(np.zeros((5, 6, 7), np.uint8), np.eye(4))
    resampled = resample_volume(volume, (2, 2, 2), kind="labels")
    assert not resampled.array.any()


def test_unknown_kind_is_refused():
    volume = Volume(np.zeros((5, 6, 7), np.uint8), np.eye(4))
    with pytest.raises(ValueError, match="kind"):
        resample_volume(volume, (1, 1, 1), kind="nearest")


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, 1, -1)])
def test_impossible_spacing_is_refused(spacing):
    volume = Volume(np.zeros((5, 6, 7), np.uint8), np.eye(4))
    with pytest.raises(ValueError, match="spacing"):
        resample_volume(volume, spacing)


@pytest.mark.parametrize("new", [(1, 1, 1.5), (0.6, 1, 1), (3.3, 2, 2)])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_slabs_are_parts_of_the_whole(monkeypatch, new, rows):
    array = RNG.normal(0, 300, (19, 8, 7)).astype(np.float32)
    volume = Volume(np.asfortranarray(array), affine_of((1, 1, 1.5)))
    whole = resample_volume(volume, new).array
    monkeypatch.setattr(resampling, "_SLAB_BYTES", rows * 4 * 8 * 7)
    slabs = list(resample_slabs(volume, new))
    assert (len(slabs) > 1) == (rows < 100)
    firsts = np.cumsum([0, *(len(slab) for _, slab in slabs)])
    assert [first for first, _ in slabs] == firsts[:-1].tolist()
    joined = np.concatenate([slab for _, slab in slabs])
    np.testing.assert_allclose(joined, whole, rtol=1e-5, atol=1e-4)


def test_slabs_are_clipped_before_they_are_interpolated():
    array = np.zeros((4, 4, 4), np.int16)
    array[0] = 5000
    volume = Volume(array, np.eye(4))
    ((_, slab),) = resample_slabs(volume, (2, 2, 2), (-1000, 1000))
    assert slab.max() == 500
    assert array.max() == 5000


@pytest.mark.parametrize(
    "spacing", [(1, 1, 1), (2, 2, 2), (5, 4, 3), (0.7,) * 3]
)
def test_remaining_labels_are_those_of_the_resampled_map(spacing):
    rng = np.random.default_rng(0)
    for _ in range(20):
        array = np.zeros((14, 13, 12), np.uint8)
        array[2:9, 3:10, 1:11] = 1
        for label in range(2, 6):
            start = rng.integers(0, 10, 3)
            stop = start + rng.integers(1, 4, 3)
            array[tuple(map(slice, start, stop))] = label
        volume = Volume(array, np.diag([1.0, 1, 1, 1]))
        resampled = resample_volume(volume, spacing, kind="labels")
        expected = set(np.unique(resampled.array).tolist())
        assert remaining_labels(volume, spacing) == expected
