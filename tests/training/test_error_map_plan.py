"""How error maps are refreshed within their share."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_isample.config import PRESETS
from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.inference import predictor_for
from keras_isample.inference.cost import batch_pass
from keras_isample.models import dual_path_resnet
from keras_isample.sampling import ISample
from keras_isample.training import error_map_plan
from keras_isample.training.error_map_plan import ErrorMapPlan
from keras_isample.training.error_map_plan import describe
from keras_isample.training.error_map_plan import describe_shares
from keras_isample.training.error_map_plan import plan_error_maps
from keras_isample.training.error_map_plan import planned_shares
from keras_isample.training.error_map_plan import resolved

SHAPE = (24, 20, 16)


class FakeFolder:
    def __init__(self):
        self.facts = {}

    def manifest(self):
        return json.loads(json.dumps(self.facts))

    def update_manifest(self, **facts):
        self.facts |= facts


@pytest.fixture(scope="module")
def model():
    return dual_path_resnet(2, width=0.1)


@pytest.fixture
def make_trainer(make_case, model):
    """Function that makes what a plan is made of, of some cases."""

    def make(count=4):
        label_map = np.zeros(SHAPE, int)
        label_map[3:9, 4:10, 5:11] = 1
        rng = np.random.default_rng(0)
        cases = [
            make_case(
                label_map, rng.integers(-900, 900, SHAPE), name=f"case{i}"
            )
            for i in range(count)
        ]
        return SimpleNamespace(
            model=model, sampler=ISample(cases, patch_size=8, batch_size=2)
        )

    return make


def plan_of(trainer, folder=None, **settings):
    settings = {"batch_size": 2, "steps_per_epoch": 5, **settings}
    config = Config.from_settings("scans", settings)
    return plan_error_maps(config, folder or FakeFolder(), trainer)


def costs(trainer):
    """Multiplications of a batch, and of the maps of one case."""
    step = 3 * batch_pass(trainer.model, trainer.sampler.geometry, 2)
    scan = trainer.sampler.cases[0].scan()
    return step, predictor_for(trainer.model).multiplications(scan)


def test_costs_are_counted(make_trainer):
    trainer = make_trainer()
    step, scan = costs(trainer)
    plan = plan_of(trainer, normalization_batches=3)
    assert plan.step == step
    assert plan.epoch == 5 * step + 3 * step // 3
    assert plan.whole == 4 * scan


def test_a_share_that_allows_all_cases_has_whole_maps(make_trainer):
    trainer = make_trainer()
    step, scan = costs(trainer)
    share = 4.01 * scan / (5 * step + 4.01 * scan)
    settings = {"normalization_batches": 0, "validation_share": "none"}
    plan = plan_of(trainer, error_map_share=share, **settings)
    assert (plan.way, plan.cases, plan.budget) == ("whole", 4, 0)
    plan = plan_of(trainer, error_map_share=0.98 * share, **settings)
    assert (plan.way, plan.cases) == ("blocks", 0)


def test_the_budget_is_the_share_of_the_whole_time(make_trainer):
    trainer = make_trainer()
    plan = plan_of(trainer, error_map_share=0.02, validation_share=0.18)
    assert plan.budget == pytest.approx(plan.epoch * 0.02 / 0.8, abs=1)


def test_without_a_bound_all_maps_are_whole(make_trainer):
    plan = plan_of(make_trainer(), error_map_share="none", steps_per_epoch=1)
    assert (plan.way, plan.cases, plan.every) == ("whole", 4, 1)


def test_some_cases_without_a_bound(make_trainer):
    plan = plan_of(make_trainer(), error_map_share="none", error_map_cases="2")
    assert (plan.way, plan.cases, plan.every) == ("whole", 2, 2)


def test_a_share_that_allows_the_cases_asked_for_has_whole_maps(make_trainer):
    trainer = make_trainer()
    step, scan = costs(trainer)
    share = 2.01 * scan / (5 * step + 2.01 * scan)
    settings = {"normalization_batches": 0, "validation_share": "none"}
    plan = plan_of(
        trainer, error_map_share=share, error_map_cases="2", **settings
    )
    assert (plan.way, plan.cases) == ("whole", 2)


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"error_map_cases": "2"}, "`error_map_cases`"),
        ({"sample_from": "refreshed"}, "`sample_from`"),
    ],
)
def test_whole_cases_that_the_share_does_not_allow_are_refused(
    make_trainer, settings, option
):
    folder = FakeFolder()
    with pytest.raises(InputError) as caught:
        plan_of(make_trainer(), folder, error_map_share=0.01, **settings)
    text = str(caught.value)
    assert text.startswith(option) and "`error_map_share=0.01`" in text
    assert "`error_map_share='none'`" in text
    assert folder.facts == {}


def test_other_ways_have_no_share(make_trainer):
    trainer = make_trainer()
    for settings in ({"sampling": "uniform"}, {"error_maps": "online"}):
        plan = plan_of(trainer, **settings)
        assert (plan.way, plan.whole) == ("none", 0)
        assert describe(plan, 4) == ""
    plan = plan_of(trainer, error_maps="concurrent")
    assert plan.way == "concurrent" and plan.whole == 4 * costs(trainer)[1]


def test_a_run_that_goes_on_keeps_its_plan(make_trainer):
    trainer, folder = make_trainer(), FakeFolder()
    plan = plan_of(trainer, folder, error_map_share=0.02)
    again = plan_of(trainer, folder, error_map_share=0.8, steps_per_epoch=99)
    assert again == plan


def test_many_scans_are_counted_by_some(make_trainer, monkeypatch):
    trainer = make_trainer(6)
    monkeypatch.setattr(error_map_plan, "_COUNTED", 2)
    assert plan_of(trainer).whole == 6 * costs(trainer)[1]


def test_blocks_that_hold_a_structure_are_counted(make_trainer):
    trainer = make_trainer()
    plan = plan_of(trainer, error_map_share=0.02, steps_per_epoch=1)
    maps = trainer.sampler.error_maps
    predictor = predictor_for(trainer.model)
    from keras_isample.callbacks.block_update import divide
    from keras_isample.inference.block_side import typical_cost
    from keras_isample.sampling.block_order import BlockOrder

    divide(maps, predictor)
    counts = BlockOrder(trainer.sampler)._counts(0)
    blocks = (counts[:, 1] > 0).sum()
    cost = typical_cost(predictor, SHAPE, maps.grid(0).sides)
    assert plan.every == pytest.approx(4 * blocks * cost / plan.budget)


def test_sample_from_is_resolved():
    config = Config.from_settings("scans", {})
    blocks = ErrorMapPlan("blocks", 1, 1)
    whole = ErrorMapPlan("whole", 1, 1)
    assert resolved(config, blocks).sampling.sample_from == "all"
    assert resolved(config, whole).sampling.sample_from == "refreshed"
    config = Config.from_settings("scans", {"sample_from": "all"})
    assert resolved(config, whole) == config


def test_lines_say_what_maps_cost():
    whole = ErrorMapPlan("whole", 1, 100, whole=40, cases=8, every=1)
    assert describe(whole, 8) == (
        "error maps: of all 8 scans after every epoch, 40.0% of what training "
        "multiplies"
    )
    some = ErrorMapPlan("whole", 1, 100, whole=40, cases=2, every=4)
    assert "of 2 of 8 scans after every epoch, each every 4 epochs" in describe(
        some, 8
    )
    blocks = ErrorMapPlan("blocks", 1, 100, 950, budget=20, every=6.5)
    assert describe(blocks, 8) == (
        "error maps: block by block, 20.0% of what training multiplies; a "
        "block that holds a structure comes about every 6.5 epochs; whole maps "
        "after every epoch would take 950%"
    )
    often = ErrorMapPlan("blocks", 1, 100, 950, budget=20, every=1)
    assert "comes every epoch; whole maps" in describe(often, 8)
    beside = ErrorMapPlan("concurrent", 1, 100, 950)
    assert "all 8 scans take as many multiplications as 9.5 epochs" in describe(
        beside, 8
    )


def test_planned_shares_are_of_all_together():
    plan = ErrorMapPlan("whole", 1, 100, whole=40, cases=4, every=2)
    assert planned_shares(plan, 8, 10, 300) == {
        "training": 1000 / 1500,
        "error_maps": 200 / 1500,
        "validation": 300 / 1500,
    }
    assert describe_shares(planned_shares(plan, 8, 10, 300)) == (
        "planned shares of the time: training 66.7%, error maps 13.3%, "
        "validation 20.0%"
    )
    beside = ErrorMapPlan("concurrent", 1, 100, 950)
    assert planned_shares(beside, 8, 10)["error_maps"] == 0


def test_presets_are_the_papers_ways():
    for name in ("kidneys-2017", "organs-2017"):
        config = Config.from_settings("scans", PRESETS[name])
        assert config.sampling.error_map_way.in_background
    for name in ("kidneys-2018", "autolr-2018"):
        sampling = Config.from_settings("scans", PRESETS[name]).sampling
        assert sampling.error_maps == "epoch"
        assert sampling.num_error_map_cases == 2
        assert sampling.map_share is None
