"""Slices as training examples."""

from collections import Counter

import numpy as np
import pytest

from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.sampling import ISample
from keras_isample.sampling.slices import SliceDraw
from keras_isample.sampling.slices import largest_slice


@pytest.fixture
def stacks(make_case):
    """Two stacks whose label at (i, j, k) is its slice k + 1, or 0."""
    result = []
    for name, shape in (("a", (6, 4, 3)), ("b", (5, 4, 2))):
        labels = np.zeros(shape, np.uint8)
        labels[1:3, 1:3] = 1 + np.arange(shape[2])
        image = np.arange(labels.size).reshape(shape)
        result.append(make_case(labels, image, name=name, num_classes=4))
    return result


def shown(case, center):
    return Counter(zip(case.tolist(), center[:, 2].tolist(), strict=True))


def test_every_slice_comes_once_before_any_comes_again(stacks):
    draw = SliceDraw(stacks, 2, (6, 4, 1), 0)
    slices = {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)}
    once = shown(*draw.draw(0, 5))
    assert once == dict.fromkeys(slices, 1)
    assert shown(*draw.draw(0, 10)) == dict.fromkeys(slices, 2)


def test_draws_do_not_depend_on_how_they_are_cut(stacks):
    draw = SliceDraw(stacks, 2, (6, 4, 1), 0)
    case, center = draw.draw(0, 12)
    parts = [draw.draw(first, 4) for first in (0, 4, 8)]
    assert (np.concatenate([p[0] for p in parts]) == case).all()
    assert (np.concatenate([p[1] for p in parts]) == center).all()


def test_every_turn_has_an_order_of_its_own(stacks):
    draw = SliceDraw(stacks, 2, (6, 4, 1), 0)
    orders = {tuple(draw.draw(5 * turn, 5)[1][:, 2]) for turn in range(20)}
    assert len(orders) > 1


def test_epochs_go_on_where_the_last_one_stopped(stacks):
    sampler = ISample(
        stacks,
        geometry=SliceGeometry((6, 4), 2, whole=True),
        batch_size=1,
        sampling="uniform",
        augment=False,
    )
    seen = []
    for epoch in range(5):
        sampler.epoch = epoch
        seen += [
            (int(case), int(center[2]))
            for case, center, _ in sampler.centers(2).as_numpy_iterator()
        ]
    assert Counter(seen) == dict.fromkeys(set(seen), 2)
    assert len(set(seen)) == 5


def test_centers_are_those_of_patches_from_the_first_voxel_on(stacks):
    _, center = SliceDraw(stacks, 2, (6, 4, 1), 0).draw(0, 5)
    assert (center[:, :2] == (3, 2)).all()


def test_largest_slice_holds_all(stacks):
    assert largest_slice(stacks, 2) == (6, 4)
    assert largest_slice(stacks, 0) == (4, 3)


def test_uniform_sampling_of_whole_slices_shows_them_as_they_are(stacks):
    sampler = ISample(
        stacks,
        geometry=SliceGeometry(largest_slice(stacks, 2), 2, whole=True),
        batch_size=5,
        sampling="uniform",
        augment=False,
    )
    images, labels = next(iter(sampler.dataset(1)))
    assert images.shape == (5, 6, 4, 1)
    assert labels.shape == (5, 6, 4)
    case, center, _ = next(iter(sampler._batches(1)))
    for number, (index, place) in enumerate(
        zip(case.numpy(), center.numpy()[:, 2], strict=True)
    ):
        prepared = stacks[index]
        wanted = prepared.labels()[:, :, place]
        rows = slice(0, prepared.shape[0])
        assert (labels[number].numpy()[rows] == wanted).all()
        stored = prepared.image()[0, :, :, place]
        assert images[number, rows, :, 0].numpy() * 218 == pytest.approx(stored)
    outside = labels.numpy()[case.numpy() == 1][:, 5]
    assert (outside == 255).all()


def test_isample_shows_whole_slices_where_the_errors_are(stacks, set_error_map):
    sampler = ISample(
        stacks[:1],
        geometry=SliceGeometry((6, 4), 2, whole=True),
        batch_size=20,
        epsilon=0.0,
        augment=False,
    )
    levels = np.zeros((6, 4, 3), np.uint8)
    levels[0, 0, 1] = 255
    set_error_map(sampler.error_maps, 0, levels)
    sampler.use([0])
    _, labels = next(iter(sampler.dataset(1)))
    assert (labels.numpy() == stacks[0].labels()[:, :, 1]).all()


def test_patches_of_slices_lie_in_their_slice(stacks):
    sampler = ISample(
        stacks,
        geometry=SliceGeometry((3, 3), 2),
        batch_size=30,
        spacing_jitter=0.0,
    )
    _, labels = next(iter(sampler.dataset(1)))
    for patch in labels.numpy():
        # Nothing of another slice, whatever the turn.
        assert len(set(np.unique(patch)) - {0, 255}) <= 1


def test_even_slices_are_flipped_onto_themselves(make_case):
    image = np.arange(6 * 4).reshape(6, 4, 1)
    case = make_case((image % 3)[..., :1] + 1, image, num_classes=4)
    sampler = ISample(
        [case],
        geometry=SliceGeometry((6, 4), 2, whole=True),
        batch_size=40,
        sampling="uniform",
        augmentation="cardiac",
        seed=1,
    )
    images, labels = next(iter(sampler.dataset(1)))
    stored = np.rint(images.numpy()[..., 0] * 218).astype(int)
    seen = {
        name: any(
            (a == flip(image[..., 0])).all()
            and (b == flip(image[..., 0]) % 3 + 1).all()
            for a, b in zip(stored, labels.numpy(), strict=True)
        )
        for name, flip in (
            ("as it is", lambda x: x),
            ("first axis", np.flipud),
            ("second axis", np.fliplr),
        )
    }
    assert seen == dict.fromkeys(seen, True)


def test_cardiac_augmentation_is_for_slices(stacks):
    with pytest.raises(ValueError, match="slices only"):
        ISample(stacks, geometry=PlainGeometry(4), augmentation="cardiac")


def test_slices_in_turn_leave_nothing_to_choose(stacks):
    with pytest.raises(ValueError, match="`cases_per_batch`"):
        ISample(
            stacks,
            geometry=SliceGeometry((6, 4), 2, whole=True),
            sampling="uniform",
            cases_per_batch=1,
        )
