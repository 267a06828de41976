"""Which blocks are refreshed next."""

import numpy as np
import pytest

from keras_isample.sampling import ISample
from keras_isample.sampling import block_order
from keras_isample.sampling.block_order import BlockOrder

SHAPE = (8, 8, 8)
SIDES = (4, 4, 4)
EPSILON = 0.1


@pytest.fixture
def make_sampler(make_case):
    """Function that makes a sampler of one case, divided into eight blocks."""

    def make(label_map, image=None, **options):
        case = make_case(label_map, image, num_classes=3)
        options = {"sample_from": "all", "epsilon": EPSILON, **options}
        sampler = ISample([case], patch_size=4, **options)
        sampler.error_maps.divide([SIDES])
        return sampler

    return make


def tissue():
    return np.full(SHAPE, 40)


def refresh(sampler, levels, version):
    """Gives blocks errors that are the same everywhere in them."""
    maps = sampler.error_maps
    grid = maps.grid(0)
    values = [
        (
            tuple(part.start for part in grid.box(block)),
            np.full(SIDES, level, np.uint8),
        )
        for block, level in levels.items()
    ]
    maps.update(0, list(levels), values, version=version, seed=0)
    sampler.use([0])


def weights(sampler, version):
    shares = sampler.class_shares()[0]
    return BlockOrder(sampler).weights(0, shares, version)


def test_weight_is_the_share_of_the_centers_times_the_age(make_sampler):
    label_map = np.zeros(SHAPE, int)
    label_map[0, 0, 0:2] = 1
    label_map[4, 4, 4:8] = 1
    label_map[0:2, 0:4, 4:8] = 2
    sampler = make_sampler(label_map, tissue())
    refresh(sampler, {block: 20 * block for block in range(8)}, 1)
    refresh(sampler, {0: 51, 3: 102}, 3)
    steps = 3000
    drawn = np.zeros(8)
    for _, center, _ in sampler.centers(steps).as_numpy_iterator():
        drawn[sampler.error_maps.grid(0).block_of(center.tolist())] += 1
    drawn /= drawn.sum()
    age = np.array([1, 3, 3, 1, 3, 3, 3, 3])
    found = weights(sampler, 4)
    assert found / found.sum() == pytest.approx(
        drawn * age / (drawn * age).sum(), abs=0.01
    )


def test_a_block_that_was_never_refreshed_is_as_old_as_the_run(make_sampler):
    sampler = make_sampler(np.zeros(SHAPE, int), tissue())
    refresh(sampler, {0: 51}, 4)
    found = weights(sampler, 6)
    # Others have the mean of the known voxels, which is that of block 0.
    assert found[1:] == pytest.approx(3 * found[0])


def test_new_blocks_with_a_structure_come_first(make_sampler, monkeypatch):
    label_map = np.zeros(SHAPE, int)
    label_map[0:2] = 1
    label_map[6:8] = 1
    sampler = make_sampler(label_map, tissue())
    refresh(sampler, {0: 100}, 1)
    found = weights(sampler, 2)
    monkeypatch.setattr(block_order, "NEW", 1.0)
    plain = weights(sampler, 2)
    assert found[1:] == pytest.approx(4 * plain[1:])
    assert found[0] == pytest.approx(plain[0])


def test_air_hardly_ever_comes(make_sampler):
    image = tissue()
    image[4:] = -1000
    found = weights(make_sampler(np.zeros(SHAPE, int), image), 1)
    assert found[4:] == pytest.approx(found[:4] / 100)


def test_what_is_right_everywhere_hardly_ever_comes(make_sampler):
    sampler = make_sampler(np.zeros(SHAPE, int), tissue(), epsilon=0.01)
    levels = {block: 0 for block in range(8)} | {5: 255}
    refresh(sampler, levels, 1)
    found = weights(sampler, 2)
    assert found[5] > 90 * found[0]


def test_small_structures_have_the_share_of_large_ones(make_sampler):
    label_map = np.zeros(SHAPE, int)
    label_map[0:4] = 1
    label_map[7, 7, 7] = 2
    found = weights(make_sampler(label_map, tissue()), 1)
    # A third for each class: four blocks of 1, all of 2 in a single one, and
    # the background evenly in the other four.
    assert found[0] == pytest.approx(4 / 3 / 4)
    assert found[7] == pytest.approx(4 * (1 / 3 + 63 / 255 / 3))
    assert found[4] == pytest.approx(64 / 255 / 3)


def test_merged_classes_are_background(make_case):
    from dataclasses import replace

    label_map = np.zeros(SHAPE, int)
    label_map[0, 0, 0] = 1
    label_map[7, 7, 7] = 2
    case = replace(make_case(label_map, tissue()), merged=(2,))
    sampler = ISample([case], patch_size=4, sample_from="all")
    sampler.error_maps.divide([SIDES])
    counts = BlockOrder(sampler)._counts(0)
    assert counts[:, 0].tolist() == [63, *[64] * 7]
    assert counts[:, 1].tolist() == [1, *[0] * 7]
    assert not counts[:, 2].any()


def test_blocks_are_drawn_in_proportion_to_their_weights(make_sampler):
    label_map = np.zeros(SHAPE, int)
    sampler = make_sampler(label_map, tissue())
    refresh(sampler, {block: 30 * block for block in range(8)}, 1)
    order, shares = BlockOrder(sampler), sampler.class_shares()[0]
    first, number = np.zeros(8), 2000
    for seed in range(number):
        sampler.seed = seed
        drawn = order.draw(0, shares, 2)
        assert sorted(drawn.tolist()) == list(range(8))
        first[drawn[0]] += 1
    expected = order.weights(0, shares, 2)
    expected = expected / expected.sum()
    deviation = np.sqrt(expected * (1 - expected) / number)
    assert (np.abs(first / number - expected) < 5 * deviation).all()


def test_order_is_a_function_of_seed_update_and_case(make_sampler):
    sampler = make_sampler(np.zeros(SHAPE, int), tissue())
    order, shares = BlockOrder(sampler), sampler.class_shares()[0]
    first = order.draw(0, shares, 1).tolist()
    assert BlockOrder(sampler).draw(0, shares, 1).tolist() == first
    assert order.draw(0, shares, 2).tolist() != first


def test_blocks_without_any_chance_do_not_come(make_sampler):
    sampler = make_sampler(np.zeros(SHAPE, int), tissue(), epsilon=0)
    refresh(sampler, {block: int(block == 3) for block in range(8)}, 1)
    shares = sampler.class_shares()[0]
    assert BlockOrder(sampler).draw(0, shares, 2).tolist() == [3]
