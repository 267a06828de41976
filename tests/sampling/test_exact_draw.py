"""Centers from the chances of acceptance themselves."""

import numpy as np
import pytest
from scipy import stats

from keras_isample.sampling import exact_draw
from keras_isample.sampling.centers import ClassVoxels
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.exact_draw import ExactDraw
from keras_isample.sampling.mapped import MappedCases

SHAPE = (5, 4, 3)


@pytest.fixture
def make_draw(make_case, set_error_map):
    """Function that makes an `ExactDraw` of one case and its error maps."""

    def make(label_map, levels, epsilon):
        case = make_case(label_map, num_classes=3)
        maps = ErrorMaps([case])
        set_error_map(maps, 0, levels)
        mapped = MappedCases([case])
        return ExactDraw(mapped, ClassVoxels(mapped), maps, epsilon), maps

    return make


def uniform(number, seed=0):
    return np.random.default_rng(seed).random((number, 2))


def assert_in_proportion(drawn, weights):
    observed = np.bincount(drawn, minlength=weights.size)
    expected = np.ravel(weights) / weights.sum() * len(drawn)
    assert observed[expected == 0].sum() == 0
    kept = expected > 0
    assert expected[kept].min() > 5
    assert stats.chisquare(observed[kept], expected[kept]).pvalue > 1e-3


@pytest.mark.parametrize("epsilon", [0, 0.1])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("background", [0.3, 0.7])
@pytest.mark.parametrize("block", [4, 1 << 12])
def test_voxels_are_drawn_in_proportion_to_their_chances(
    make_draw, monkeypatch, epsilon, label, background, block
):
    monkeypatch.setattr(exact_draw, "BLOCK", block)
    monkeypatch.setattr(exact_draw, "_SLAB", 3)
    rng = np.random.default_rng(3)
    label_map = rng.integers(1, 3, SHAPE) * (rng.random(SHAPE) > background)
    levels = rng.choice([0, 60, 200, 255], SHAPE)
    draw, _ = make_draw(label_map, levels, epsilon)
    drawn = draw.draw(0, label, uniform(6000))
    chances = np.minimum(1, levels / 255 + epsilon) * (label_map == label)
    assert_in_proportion(drawn, chances)


@pytest.mark.parametrize("label", [0, 1])
def test_without_a_known_map_all_voxels_count_alike(make_draw, label):
    label_map = np.arange(60).reshape(SHAPE) % 2
    draw, _ = make_draw(label_map, np.zeros(SHAPE), 0)
    drawn = draw.draw(0, label, uniform(3000), known=False)
    assert_in_proportion(drawn, (label_map == label) * 1.0)


def test_the_only_voxel_with_a_chance_is_found_at_both_ends(make_draw):
    levels = np.zeros(SHAPE)
    levels[2, 1, 1] = 1
    draw, _ = make_draw(np.zeros(SHAPE), levels, 0)
    last = np.nextafter(1.0, 0.0)
    ends = np.array([(0, 0), (0, last), (last, 0), (last, last)])
    place = np.ravel_multi_index((2, 1, 1), SHAPE)
    assert draw.draw(0, 0, ends).tolist() == [place] * 4


def test_a_newer_map_counts_at_once(make_draw, set_error_map):
    levels = np.zeros(SHAPE)
    levels[0, 0, 0] = 9
    draw, maps = make_draw(np.zeros(SHAPE), levels, 0)
    assert set(draw.draw(0, 0, uniform(5)).tolist()) == {0}
    set_error_map(maps, 0, np.roll(levels, 1), version=2)
    assert set(draw.draw(0, 0, uniform(5)).tolist()) == {1}


def test_the_class_is_summed_once(make_draw, monkeypatch):
    draw, maps = make_draw(np.zeros(SHAPE), np.ones(SHAPE), 0)
    read = []
    monkeypatch.setattr(exact_draw, "BLOCK", 10)
    chances = draw._chances
    monkeypatch.setattr(
        draw,
        "_chances",
        lambda *arguments: read.append(arguments[-1]) or chances(*arguments),
    )
    draw.draw(0, 0, uniform(3))
    draw.draw(0, 0, uniform(2))
    assert read == [exact_draw._SLAB, 1, 1, 1, 1, 1]
