"""Patches against the padded scan, and against scipy for turned ones."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from keras_isample.models import DualPathGeometry
from keras_isample.models import PlainGeometry
from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.patches import OUTSIDE_LABEL
from keras_isample.sampling.patches import PatchReader

AIR = -1000
PAD = 120
HALF_UNIT = 0.5 / 218
"""Box means are stored rounded to whole Hounsfield units."""

QUARTER_TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
CENTERS = [(0, 0, 0), (20, 16, 12), (0, 16, 5), (11, 7, 6), (12, 8, 6)]


def padded(array, value):
    return np.pad(array, PAD, constant_values=value)


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    image = rng.integers(-900, 900, (21, 17, 13)).astype(np.int16)
    return rng.integers(0, 4, image.shape).astype(np.uint8), image


@pytest.fixture
def read(make_case, scan, read_patch):
    """Function that reads a patch of the scan."""
    cases = {}

    def read(center, matrix=None, *, patch_size=8, context_width=3):
        if context_width not in cases:
            cases[context_width] = make_case(
                *scan, context_width=context_width, name=f"w{context_width}"
            )
        geometry = DualPathGeometry(patch_size, context_width)
        return read_patch(cases[context_width], geometry, center, matrix)

    return read


def window(array, center, before, size):
    """`size` voxels a side from `before` voxels before the center."""
    return array[tuple(slice(PAD + c - before, None) for c in center)][
        :size, :size, :size
    ]


@pytest.mark.parametrize("patch_size", [4, 8])
@pytest.mark.parametrize("center", CENTERS)
def test_image_is_the_scan_around_the_center(scan, read, center, patch_size):
    image, _, _ = read(center, patch_size=patch_size)
    expected = window(
        padded(scan[1], AIR), center, patch_size // 2 + 14, patch_size + 28
    )
    assert image[..., 0] == pytest.approx(expected / 218)


@pytest.mark.parametrize("patch_size", [4, 8])
@pytest.mark.parametrize("center", CENTERS)
def test_labels_are_those_around_the_center(scan, read, center, patch_size):
    _, _, labels = read(center, patch_size=patch_size)
    expected = window(
        padded(scan[0], OUTSIDE_LABEL), center, patch_size // 2, patch_size
    )
    assert (labels == expected).all()


@pytest.mark.parametrize("center", CENTERS)
def test_the_center_is_the_voxel_behind_the_middle(scan, read, center):
    _, _, labels = read(center)
    assert labels[4, 4, 4] == scan[0][center]


@pytest.mark.parametrize("patch_size, context_width", [(4, 3), (8, 4)])
@pytest.mark.parametrize("center", CENTERS)
def test_context_is_box_means_every_4_voxels(
    scan, read, center, patch_size, context_width
):
    _, context, _ = read(
        center, patch_size=patch_size, context_width=context_width
    )
    normalized = padded(scan[1] / 218, AIR / 218)
    expected = np.empty((patch_size // 4 + 30,) * 3)
    first = np.array(center) - patch_size // 2 - 60 + PAD
    for j in np.ndindex(expected.shape):
        box = tuple(
            slice(a, a + context_width) for a in first + 4 * np.array(j)
        )
        expected[j] = normalized[box].mean()
    error = np.abs(context[..., 0] - expected).max()
    assert error <= HALF_UNIT * 1.001


@pytest.mark.parametrize("context_width", [3, 4])
@pytest.mark.parametrize("center", CENTERS)
def test_identity_matrix_equals_the_crop(read, center, context_width):
    crop = read(center, context_width=context_width)
    turned = read(center, np.eye(3), context_width=context_width)
    for a, b in zip(crop, turned, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert a == pytest.approx(b)


def test_quarter_turn_moves_voxels_about_the_center(scan, read):
    center = np.array([11, 8, 6])
    _, _, labels = read(center, QUARTER_TURN)
    for i, j, k in np.ndindex(labels.shape):
        # Step (i', j', k') of the patch is (-j', i', k') of the scan.
        place = center + (-(j - 4), i - 4, k - 4)
        assert labels[i, j, k] == scan[0][tuple(place)]


def test_quarter_turn_turns_the_image_alike(scan, read):
    image, _, _ = read((11, 8, 6), QUARTER_TURN)
    around = window(padded(scan[1], AIR), (11, 8, 6), 18, 37)
    expected = np.empty((36, 36, 36))
    for i, j, k in np.ndindex(expected.shape):
        expected[i, j, k] = around[36 - j, i, k]
    assert image[..., 0] == pytest.approx(expected / 218, abs=1e-5)


def random_matrix(seed):
    rng = np.random.default_rng(seed)
    return np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))


def points(center, matrix, first, step, size, shift=0.0):
    """Where the points of a turned grid lie in the scan, `(3, n, n, n)`."""
    steps = first + step * np.indices((size,) * 3) + shift
    turned = np.tensordot(matrix, steps, axes=1)
    return turned + np.reshape(center, (3, 1, 1, 1))


@pytest.mark.parametrize("center", CENTERS)
def test_turned_image_is_linear_interpolation(scan, read, center):
    matrix = random_matrix(1)
    image, _, _ = read(center, matrix)
    expected = ndimage.map_coordinates(
        padded(scan[1] / 218, AIR / 218),
        points(center, matrix, -18, 1, 36) + PAD,
        order=1,
    )
    assert image[..., 0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("center", CENTERS)
def test_turned_labels_are_nearest_neighbors(scan, read, center):
    matrix = random_matrix(2)
    _, _, labels = read(center, matrix)
    nearest = np.floor(points(center, matrix, -4, 1, 8) + PAD + 0.5)
    expected = padded(scan[0], OUTSIDE_LABEL)[tuple(nearest.astype(int))]
    assert (labels == expected).all()


@pytest.mark.parametrize("context_width", [3, 4])
@pytest.mark.parametrize("center", CENTERS)
def test_turned_context_interpolates_means_about_box_middles(
    scan, read, center, context_width
):
    matrix = random_matrix(3)
    _, context, _ = read(center, matrix, context_width=context_width)
    middle = (context_width - 1) / 2
    around = padded(scan[1] / 218, AIR / 218)
    boxes = np.lib.stride_tricks.sliding_window_view(
        around, (context_width,) * 3
    )
    # Element e of `means` lies at voxel e + middle - PAD.
    means = np.full([n - context_width + 1 for n in around.shape], AIR / 218)
    near = tuple(slice(PAD - 5, PAD + n + 5) for n in scan[1].shape)
    means[near] = boxes[near].mean(axis=(-3, -2, -1))
    expected = ndimage.map_coordinates(
        means,
        points(center, matrix, -64, 4, 32, middle) + PAD - middle,
        order=1,
        mode="nearest",
    )
    error = np.abs(context[..., 0] - expected).max()
    assert error <= HALF_UNIT * 1.01


def test_image_blends_into_the_outside_value_at_the_border(
    make_case, read_patch
):
    image = np.full((4, 4, 4), 200, np.int16)
    case = make_case(np.zeros((4, 4, 4)), image, num_classes=2)
    quarter = np.diag([0.25, 1, 1])
    patch, _, _ = read_patch(case, DualPathGeometry(4), (0, 2, 2), quarter)
    # Steps -2 and -1 of the patch lie half and a quarter of a voxel outside.
    line = patch[[14, 15, 16], 16, 16, 0] * 218
    assert line == pytest.approx([-400, -100, 200], abs=0.01)


def test_labels_reach_half_a_voxel_outside_of_the_last_one(
    make_case, read_patch
):
    case = make_case(np.ones((4, 4, 4)))
    _, _, labels = read_patch(
        case, DualPathGeometry(4), (0, 2, 2), np.diag([0.3, 1, 1])
    )
    # Steps -2 to 1 lie at -0.6, -0.3, 0 and 0.3.
    assert labels[:, 2, 2].tolist() == [255, 1, 1, 1]


def test_channels_keep_their_order_and_outside_value(make_case, read_patch):
    image = np.stack([np.full((5, 5, 5), 218), np.full((5, 5, 5), -436)])
    case = make_case(np.ones((5, 5, 5)), image)
    for matrix in (None, np.eye(3)):
        patch, context, _ = read_patch(
            case, DualPathGeometry(4), (2, 2, 2), matrix
        )
        assert patch.shape == (32, 32, 32, 2) and context.shape[-1] == 2
        assert patch[16, 16, 16] == pytest.approx([1, -2])
        assert patch[0, 0, 0] == pytest.approx([AIR / 218] * 2)


@pytest.mark.parametrize("matrix", [None, np.eye(3), random_matrix(4)])
@pytest.mark.parametrize("center", [(300, 0, 0), (0, 0, -300)])
def test_a_patch_wholly_outside_is_the_outside_value(
    make_case, read_patch, center, matrix
):
    case = make_case(np.ones((2, 2, 2)))
    image, context, labels = read_patch(
        case, DualPathGeometry(4), center, matrix
    )
    assert (labels == OUTSIDE_LABEL).all()
    for patch in (image, context):
        assert patch == pytest.approx(np.full(patch.shape, AIR / 218))


@pytest.mark.parametrize("size", [6, (1, 9, 4), (7, 2, 5)])
@pytest.mark.parametrize("matrix", [None, np.eye(3)])
@pytest.mark.parametrize("center", CENTERS)
def test_plain_patches_are_image_and_labels_of_the_same_voxels(
    make_case, scan, read_patch, size, matrix, center
):
    image, labels = read_patch(
        make_case(*scan), PlainGeometry(size), center, matrix
    )
    sizes = np.broadcast_to(size, 3)
    place = tuple(
        slice(PAD + c - n // 2, PAD + c - n // 2 + n)
        for c, n in zip(center, sizes, strict=True)
    )
    assert image.shape == (*sizes, 1)
    assert (labels == padded(scan[0], OUTSIDE_LABEL)[place]).all()
    expected = padded(scan[1], AIR)[place] / 218
    assert image[..., 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("matrix", [None, random_matrix(5)])
def test_a_patch_does_not_depend_on_the_others_of_its_batch(
    make_case, scan, read_patch, matrix
):
    cases = [make_case(*scan, name="a"), make_case(*(s[2:] for s in scan))]
    turned = np.eye(3) if matrix is None else matrix
    index, centers = [0, 1, 1, 0], [(3, 4, 5), (0, 0, 0), (9, 9, 9), (1, 8, 2)]
    reader = PatchReader(
        MappedCases(cases), DualPathGeometry(4), augment=matrix is not None
    )
    inputs, labels = reader.read_batch(
        tf.constant(index, tf.int64),
        tf.constant(centers, tf.int64),
        tf.constant([turned] * 4, tf.float64),
    )
    for i, arguments in enumerate(zip(index, centers, strict=True)):
        alone = read_patch(
            cases[arguments[0]], DualPathGeometry(4), arguments[1], matrix
        )
        for array, one in zip((*inputs, labels), alone, strict=True):
            assert (array[i].numpy() == one).all()
