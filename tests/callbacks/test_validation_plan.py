"""How often a run is validated within a budget, counted by hand."""

import json

import pytest

from keras_isample.callbacks.validation_plan import SECONDS
from keras_isample.callbacks.validation_plan import ValidationPlan

WHOLE = 4 * SECONDS
"""Cost of whole scans, too much to be nothing."""


def estimate(share=0.25, block=32):
    """An estimate of a share of the cost of whole scans."""
    return lambda: (int(share * WHOLE), block)


def validated(plan, epochs):
    """Epochs after which there is a validation."""
    return [epoch for epoch in range(1, epochs + 1) if plan.is_due(epoch)]


def test_whole_scans_come_after_every_epoch_where_the_share_allows_it():
    plan = ValidationPlan.within(20 * WHOLE, 20, WHOLE, estimate())
    assert plan == ValidationPlan.fixed(1, WHOLE)
    assert validated(plan, 3) == [1, 2, 3]


def test_whole_scans_come_when_they_are_saved_up():
    plan = ValidationPlan.within(10 * WHOLE, 25, WHOLE, estimate())
    assert plan.column == "val_dice"
    found = [3, 5, 8, 10, 13, 15, 18, 20, 23, 25]
    assert validated(plan, 25) == found
    assert plan.count(25) == 10
    assert plan.total(25) == 10 * WHOLE


def test_fewer_than_ten_are_estimates_and_three_whole_ones_at_the_end():
    plan = ValidationPlan.within(9 * WHOLE, 36, WHOLE, estimate())
    assert plan.column == "val_dice_estimated"
    assert (plan.candidates, plan.block) == (3, 32)
    # Of 9 whole ones 3 are put aside, and 6 are 24 estimates of a quarter.
    found = validated(plan, 36)
    assert len(found) == plan.count(36) == 24
    assert found[:4] == [2, 3, 5, 6] and found[-1] == 36
    assert plan.total(36) == 9 * WHOLE


@pytest.mark.parametrize(
    ("times", "candidates", "estimates"),
    [(3.75, 3, 3), (3.5, 2, 6), (1.5, 1, 2), (1, 0, 4), (0.5, 0, 2)],
)
def test_whole_ones_at_the_end_belong_to_the_share(
    times, candidates, estimates
):
    """As many as there is room for beside an estimate of each."""
    plan = ValidationPlan.within(int(times * WHOLE), 50, WHOLE, estimate())
    assert plan.candidates == candidates
    assert plan.count(50) == estimates == len(validated(plan, 50))
    assert plan.total(50) <= times * WHOLE


@pytest.mark.parametrize("times", [0.3, 2.2, 7.9, 13, 29.5, 31])
def test_nothing_is_spent_before_it_is_saved_up(times):
    """Of what the share has room for; the last one may be more."""
    plan = ValidationPlan.within(int(times * WHOLE), 30, WHOLE, estimate())
    found = validated(plan, 30)
    assert found[-1] == 30
    at_end = plan.candidates * WHOLE
    for number, epoch in enumerate(found[:-1], start=1):
        saved = (times * WHOLE - at_end) * epoch / 30
        assert number * plan.cost <= saved


def test_three_whole_ones_that_take_seconds_are_always_made():
    whole = SECONDS // 3
    plan = ValidationPlan.within(whole, 50, whole, lambda: (whole // 2, 16))
    assert plan.candidates == 3
    # They take nothing from the estimates.
    assert plan.count(50) == 2


def test_the_last_epoch_is_validated_if_none_was():
    plan = ValidationPlan.within(WHOLE // 8, 50, WHOLE, estimate())
    assert validated(plan, 50) == [50]
    assert plan.count(50) == 1
    assert plan.total(50) == WHOLE // 4


def test_an_estimate_as_dear_as_whole_scans_is_none():
    plan = ValidationPlan.within(2 * WHOLE, 8, WHOLE, estimate(1.0))
    assert not plan.is_estimated
    assert validated(plan, 8) == [4, 8]


def test_a_number_of_epochs_is_kept_whatever_it_costs():
    plan = ValidationPlan.fixed(4, WHOLE)
    assert validated(plan, 9) == [4, 8]
    assert plan.total(9) == 2 * WHOLE


def test_a_longer_run_goes_on_as_it_began():
    plan = ValidationPlan.within(9 * WHOLE, 36, WHOLE, estimate())
    assert validated(plan, 72)[:24] == validated(plan, 36)


def test_a_plan_is_read_back_as_it_was_written():
    for plan in (
        ValidationPlan.fixed(2, WHOLE),
        ValidationPlan.within(9 * WHOLE, 36, WHOLE, estimate()),
    ):
        text = json.dumps(plan.as_facts())
        assert ValidationPlan.from_facts(json.loads(text)) == plan
