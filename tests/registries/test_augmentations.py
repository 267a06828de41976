"""An augmentation from elsewhere is used by name."""

import numpy as np
import pytest

from keras_isample.models import PlainGeometry
from keras_isample.registries import AUGMENTATIONS
from keras_isample.sampling import ISample
from keras_isample.sampling import register_augmentation


def mirrored(draws, patches):
    matrices = np.tile(np.eye(3), (len(draws), 1, 1))
    matrices[:, 0, 0] = -1
    return matrices


@pytest.fixture
def registered():
    register_augmentation("mirrored", mirrored)
    yield
    AUGMENTATIONS.remove("mirrored")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("size", [4, 5])
def test_an_augmentation_from_elsewhere_turns_patches(make_case, size):
    labels = np.random.default_rng(0).integers(0, 9, (9, 9, 9))
    sampler = ISample(
        [make_case(labels)],
        geometry=PlainGeometry(size),
        batch_size=4,
        sampling="uniform",
        augmentation="mirrored",
    )
    _, patches = next(iter(sampler.dataset(1)))
    drawn = [
        (center.numpy(), matrix.numpy())
        for _, center, matrix in sampler.centers(1)
    ]
    padded = np.pad(labels, size, constant_values=255)
    steps = np.arange(size) - size // 2
    for patch, ((x, y, z), matrix) in zip(patches, drawn, strict=True):
        assert matrix[0, 0] == -1
        place = np.ix_(x - steps, y + steps, z + steps)
        expected = padded[tuple(index + size for index in place)]
        np.testing.assert_array_equal(patch, expected)


def test_an_unknown_one_is_refused(make_case):
    with pytest.raises(ValueError, match="`augmentation`"):
        ISample([make_case(np.ones((5, 5, 5)))], augmentation="mirrored")
