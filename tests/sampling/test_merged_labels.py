"""Labels out of the sampler that tell what counts as background."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from keras_isample.models import PlainGeometry
from keras_isample.sampling import ISample
from keras_isample.sampling.merged_labels import case_codes
from keras_isample.sampling.merged_labels import merged_classes

SHAPE = (7, 6, 5)


def blocks(classes):
    """A label map of blocks, of which turned patches are mostly sure."""
    label_map = np.zeros(SHAPE, np.uint8)
    label_map[:3, :3] = classes[0]
    label_map[4:, 3:] = classes[1]
    return label_map


@pytest.fixture
def cases(make_case):
    """Whole; without 3; half of 1 and without 3; without 3 again."""
    label_maps = [blocks(k) for k in ((1, 3), (1, 2), (1, 2), (2, 2))]
    made = [
        make_case(labels, num_classes=4, name=f"case{i}")
        for i, labels in enumerate(label_maps)
    ]
    sets = ((), (3,), (1, 3), (3,))
    return [
        replace(case, missing=merged, merged=merged)
        for case, merged in zip(made, sets, strict=True)
    ]


def drawn(cases, augment, steps=6):
    """Case, center, matrix and labels of the patches of one epoch."""
    sampler = ISample(
        cases,
        geometry=PlainGeometry((6, 5, 4)),
        batch_size=8,
        augment=augment,
    )
    labels = np.concatenate([y for _, y in sampler.dataset(steps)])
    centers = sampler.centers(steps).as_numpy_iterator()
    return sampler, labels, list(centers)


def test_sets_are_different_and_sorted(cases):
    assert merged_classes(cases) == ((1, 3), (3,))
    assert merged_classes(cases[:1]) == ()


def test_codes_of_each_set(cases):
    sets, codes = case_codes(cases)
    assert sets.tolist() == [0, 2, 1, 2]
    assert codes[:, :4].tolist() == [
        [0, 1, 2, 3],
        [256, 256, 258, 256],
        [512, 513, 514, 512],
    ]
    assert codes[:, 255].tolist() == [255] * 3


def test_sampler_tells_the_sets(cases):
    assert ISample(cases).merged_classes == ((1, 3), (3,))
    assert ISample(cases[:1]).merged_classes == ()


def test_labels_stay_bytes_where_every_case_is_whole(cases):
    _, labels, _ = drawn([cases[0]] * 2, augment=False, steps=1)
    assert labels.dtype == np.uint8


def test_classes_not_annotated_change_nothing_without_merging(cases):
    other = [replace(case, merged=()) for case in cases]
    sampler, labels, _ = drawn(other, augment=False, steps=2)
    assert labels.dtype == np.uint8 and sampler.merged_classes == ()
    assert set(np.unique(labels)) == {0, 1, 2, 3, 255}


@pytest.mark.parametrize("augment", [False, True])
def test_every_voxel_carries_the_set_of_its_case(cases, augment):
    _, labels, centers = drawn(cases, augment)
    assert labels.dtype == np.int32
    values = [set() for _ in cases]
    for patch, (case, _, _) in zip(labels, centers, strict=True):
        values[case] |= set(np.unique(patch).tolist())
    assert values == [
        {0, 1, 3, 255},
        {512, 513, 514, 255},
        {256, 258, 255},  # The annotated half of 1 is background.
        {512, 514, 255},
    ]


@pytest.mark.parametrize("augment", [False, True])
def test_coded_labels_lie_where_plain_ones_would(cases, augment):
    table = [{0: 0, 1: 1, 3: 3}, {0: 512, 1: 513, 2: 514}]
    table += [{0: 256, 1: 256, 2: 258}, {0: 512, 2: 514}]
    _, labels, centers = drawn(cases, augment)
    grid = np.stack(np.indices((6, 5, 4)), axis=-1) - (3, 2, 2)
    for patch, (case, center, matrix) in zip(labels, centers, strict=True):
        place = np.moveaxis(center + grid @ matrix.T, -1, 0)
        plain = ndimage.map_coordinates(
            np.pad(cases[case].labels(), 9, constant_values=255),
            np.floor(place + 0.5) + 9,
            order=0,
        )
        expected = np.vectorize({**table[case], 255: 255}.get)(plain)
        assert (patch == expected).mean() > 0.99
