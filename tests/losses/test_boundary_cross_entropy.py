"""Weights at boundaries, by hand and against scipy's distances."""

import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from keras_isample.losses import BoundaryCrossEntropy
from keras_isample.losses import CrossEntropy


def boundary_map(labels, classes=4, **options):
    loss = BoundaryCrossEntropy(**options)
    labels = np.asarray(labels)[None]
    p = np.full((*labels.shape, classes), 1 / classes, "float32")
    found = loss.boundary_map(loss.targets(labels, p))
    return ops.convert_to_numpy(found)[0]


def test_gap_between_two_structures_by_hand():
    # d1 + d2 is 3 within and between; 2 + 5, 1 + 4 outside.
    labels = [0, 0, 1, 0, 0, 2]
    squares = np.array([7, 5, 3, 3, 3, 3]) ** 2
    found = boundary_map(labels, sigma=2.0, boundary_weight=10.0)
    assert found == pytest.approx(10 * np.exp(-squares / 8), rel=1e-5)


def test_touching_structures_weigh_most():
    found = boundary_map([1, 1, 2, 2], sigma=1.0, boundary_weight=1.0)
    expected = np.exp([-2.0, -0.5, -0.5, -2.0])
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(19, 14), (9, 11, 8)])
def test_distances_are_euclidean(shape):
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, int)
    for label in (1, 2, 3):
        for _ in range(2):
            labels[tuple(rng.integers(0, n) for n in shape)] = label
    sigma = 1.4  # 3 sigma is no whole number
    distances = np.sort(
        [ndimage.distance_transform_edt(labels != k) for k in (1, 2, 3)], axis=0
    )
    total = distances[0] + distances[1]
    expected = np.exp(-(total**2) / (2 * sigma**2))
    expected[distances[1] >= 3 * sigma] = 0
    assert (expected > 0).sum() > 20 and (expected == 0).sum() > 20
    found = boundary_map(labels, sigma=sigma, boundary_weight=1.0)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_single_structure_has_no_second_one():
    assert (boundary_map([[0, 1, 1], [0, 0, 1]]) == 0).all()
    assert (boundary_map([[0, 1, 1], [0, 0, 1]], classes=2) == 0).all()


def test_ignored_voxels_are_no_structure():
    assert (boundary_map([1, 255, 255, 0]) == 0).all()


def test_gradient_marks_both_sides_of_a_boundary():
    found = boundary_map(
        [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 1, 2]],
        kind="gradient",
        boundary_weight=1.0,
    )
    expected = [[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]]
    assert found.tolist() == expected


def test_gradient_sees_lines_of_one_voxel_in_3d():
    labels = np.zeros((3, 3, 3), int)
    labels[1, 1, 1] = 1
    found = boundary_map(labels, kind="gradient", boundary_weight=1.0)
    assert found.sum() == 7
    assert found[1, 1, 1] == found[0, 1, 1] == found[1, 1, 2] == 1


def test_ignored_voxels_are_no_boundary():
    labels = [1, 255, 0, 0]
    assert (boundary_map(labels, kind="gradient") == 0).all()


def test_default_weights_are_the_papers():
    touching = [1, 2]
    found = boundary_map(touching, sigma=5.0)
    assert found == pytest.approx([10 * np.exp(-1 / 50)] * 2)
    options = {"kind": "gradient"}
    assert boundary_map(touching, **options).tolist() == [2, 2]
    weights = [0.5, 1.0, 4.0, 1.0]
    found = boundary_map(touching, class_weights=weights, **options)
    assert found.tolist() == [8, 8]


def test_loss_is_the_mean_weighted_by_class_and_boundary():
    labels = np.array([[0, 0, 1, 1]])
    true = np.array([0.9, 0.5, 0.25, 0.75])
    p = np.stack([true, 1 - true], axis=-1)[None]
    p[0, 2:] = p[0, 2:, ::-1]
    weights = np.array([0.5, 0.5 + 3, 2 + 3, 2])
    expected = np.sum(-weights * np.log(true)) / weights.sum()
    loss = BoundaryCrossEntropy(
        kind="gradient", boundary_weight=3.0, class_weights=[0.5, 2.0]
    )
    assert float(loss(labels, p)) == pytest.approx(expected, rel=1e-6)


def test_without_boundary_weight_it_is_cross_entropy(random_batch):
    labels, _, p = random_batch((2, 4, 4))
    expected = float(CrossEntropy()(labels, p))
    for kind in ("ronneberger", "gradient"):
        loss = BoundaryCrossEntropy(kind=kind, boundary_weight=0.0)
        assert float(loss(labels, p)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "options", [{"kind": "x"}, {"boundary_weight": -1.0}, {"sigma": 0.0}]
)
def test_arguments_without_sense_are_refused(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
        BoundaryCrossEntropy(**options)


def test_config_keeps_what_is_its_own():
    options = {"kind": "gradient", "boundary_weight": 3.0, "sigma": 2.0}
    config = BoundaryCrossEntropy(**options).get_config()
    assert {name: config[name] for name in options} == options
