"""How large blocks are."""

import numpy as np
import pytest

from keras_isample.inference import predictor_for
from keras_isample.inference.block_side import block_side
from keras_isample.inference.block_side import full_scan
from keras_isample.inference.block_side import typical_cost
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet


class FakeCase:
    def __init__(self, across, shape=(160, 160, 160)):
        self.shape = shape
        rest = int(np.prod(shape)) - across**3
        self.trained_counts = (rest, across**3)


@pytest.fixture(scope="module")
def dual_path():
    return dual_path_resnet(2)


def test_small_structures_have_small_blocks(dual_path):
    predictor = predictor_for(dual_path)
    sides = [
        block_side(predictor, [FakeCase(across)]) for across in (6, 14, 60)
    ]
    assert sides == sorted(sides)
    assert 8 <= sides[0] < sides[1] <= 16 and 20 <= sides[2] <= 28
    assert all(side % 4 == 0 for side in sides)


def test_the_mean_of_structures_decides(dual_path):
    predictor = predictor_for(dual_path)
    both = [FakeCase(6), FakeCase(60)]
    assert block_side(predictor, both) == block_side(predictor, [FakeCase(19)])


def test_a_structure_costs_least_at_that_side(dual_path):
    predictor, shape = predictor_for(dual_path), (160, 160, 160)
    best = block_side(predictor, [FakeCase(30)])

    def cost(side):
        touched = ((30 + side) / side) ** 3
        return touched * typical_cost(predictor, shape, (side,) * 3)

    assert cost(best) <= min(cost(side) for side in (4, 8, 40, 80))


def test_blocks_of_unets_are_multiples_of_their_poolings():
    model = unet(2, input_shape=(None, None, None, 1), filters=(3, 4, 4))
    predictor = predictor_for(model)
    side = block_side(predictor, [FakeCase(20, (64, 64, 64))])
    assert side % 4 == 0 and side >= 8


def test_slices_are_blocks_of_their_own():
    model = unet(2, input_shape=(None, None, 1), filters=(3, 4))
    model.metadata["axis"] = 1
    predictor = predictor_for(model)
    assert block_side(predictor, [FakeCase(20, (40, 30, 36))]) == 1


def test_typical_cost_is_that_of_a_block_inside(dual_path):
    predictor, scan = predictor_for(dual_path), full_scan((160, 160, 160), 1)
    box = (slice(40, 60),) * 3
    expected = predictor.multiplications(scan, [box])
    expected -= predictor.setup_multiplications
    assert typical_cost(predictor, scan.shape, (20, 20, 20)) == expected


def test_cases_without_any_structure_have_blocks_too(dual_path):
    case = FakeCase(1)
    case.trained_counts = (case.trained_counts[0], 0)
    assert block_side(predictor_for(dual_path), [case]) >= 4
