"""Error maps block by block, within a budget."""

import numpy as np
import pytest

from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks import block_update
from keras_isample.inference import predictor_for
from keras_isample.inference.block_side import block_side
from keras_isample.models import dual_path_resnet
from keras_isample.sampling import ISample

SHAPE = (17, 16, 12)
SIDES = (8, 8, 12)


@pytest.fixture(scope="module")
def built():
    return {}


@pytest.fixture
def model(built, randomize):
    if not built:
        built["model"] = dual_path_resnet(3, width=0.1)
    return randomize(built["model"])


@pytest.fixture
def cases(make_case):
    rng = np.random.default_rng(0)
    return [
        make_case(
            rng.integers(0, 3, SHAPE),
            rng.integers(-900, 900, SHAPE),
            name=f"case{i}",
        )
        for i in range(3)
    ]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 8 voxels, whatever structures there are."""
    monkeypatch.setattr(block_update, "block_side", lambda *arguments: 8)


def sampler_of(cases, **options):
    return ISample(
        cases, patch_size=4, batch_size=2, sample_from="all", **options
    )


def block_cost(model):
    predictor = predictor_for(model)
    return block_update.typical_cost(predictor, SHAPE, (8, 8, 8))


def updated(sampler, model, budget, epochs=1):
    callback = ErrorMapUpdate(sampler, budget=budget)
    callback.set_model(model)
    logs = [{} for _ in range(epochs)]
    for epoch in range(epochs):
        callback.on_epoch_end(epoch, logs[epoch])
    return logs


def refreshed(sampler):
    """Blocks of each case that have a value, and the version of each."""
    maps = sampler.error_maps
    found = {}
    for index in range(len(sampler.cases)):
        if maps[index] is not None:
            table = maps[index].blocks
            blocks = np.flatnonzero(table[:, 0] >= 0)
            found[index] = {b: int(table[b, 2]) for b in blocks.tolist()}
    return found


def test_blocks_have_what_whole_maps_have(cases, model):
    sampler = sampler_of(cases)
    updated(sampler, model, 40 * block_cost(model), epochs=2)
    whole = sampler_of(cases)
    callback = ErrorMapUpdate(whole)
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    compared = 0
    for index in range(3):
        positions = np.arange(np.prod(SHAPE))
        levels, known = sampler.error_maps.lookup(index, positions)
        expected = whole.error_maps.errors(index)
        difference = levels[known].astype(int) - expected[known]
        # Both are rounded up or down by chance.
        assert np.abs(difference).max() <= 1
        compared += known.sum()
    assert compared > 3000


def test_an_update_keeps_within_its_budget(cases, model):
    sampler, budget = sampler_of(cases), int(5.5 * block_cost(model))
    predictor = predictor_for(model)
    spent = 0
    for epoch in range(4):
        updated(sampler, model, budget)
        for index, blocks in refreshed(sampler).items():
            newest = [b for b, v in blocks.items() if v == epoch + 1]
            boxes = [sampler.error_maps.grid(index).box(b) for b in newest]
            if boxes:
                spent += predictor.multiplications(cases[index].scan(), boxes)
        assert spent + sampler.error_maps.saved == (epoch + 1) * budget
        assert sampler.error_maps.saved >= 0
    assert spent > 2 * budget


def test_less_than_a_block_is_saved_up(cases, model):
    sampler = sampler_of(cases)
    budget = block_cost(model) // 3
    counts, saved = [], []
    for _ in range(24):
        (logs,) = updated(sampler, model, budget)
        counts.append(sum(len(b) for b in refreshed(sampler).values()))
        saved.append(sampler.error_maps.saved)
        assert "mean_error" in logs
    assert counts[0] == 0 and saved[0] == budget
    assert saved[1] == 2 * budget
    assert 2 <= counts[-1] <= 8
    assert max(saved) < 5 * block_cost(model)


def test_all_cases_stay_in_use(cases, model):
    sampler = sampler_of(cases)
    updated(sampler, model, 3 * block_cost(model))
    assert sampler.used == [0, 1, 2]
    assert sampler.epoch == 1


def test_cases_whose_maps_are_oldest_come_next(cases, model):
    sampler = sampler_of(cases)
    reached = []
    for epoch in range(6):
        updated(sampler, model, 4 * block_cost(model))
        versions = refreshed(sampler)
        reached += [
            index
            for index, blocks in versions.items()
            if epoch + 1 in blocks.values()
        ]
    assert sorted(reached[:3]) == sorted(reached[3:]) == [0, 1, 2]


def test_many_blocks_reach_several_cases(cases, model, monkeypatch):
    monkeypatch.setattr(block_update, "BLOCKS_PER_CASE", 2)
    sampler = sampler_of(cases)
    updated(sampler, model, int(6.5 * block_cost(model)))
    assert sorted(refreshed(sampler)) == [0, 1, 2]


def test_next_blocks_are_those_of_the_order(cases, model):
    sampler = sampler_of(cases[:1])
    updated(sampler, model, 6 * block_cost(model))
    shares = sampler.class_shares()[0]
    order = block_update.BlockOrder(sampler).draw(0, shares, 2).tolist()
    updated(sampler, model, 6 * block_cost(model))
    newest = [b for b, v in refreshed(sampler)[0].items() if v == 2]
    assert newest and sorted(newest) == sorted(order[: len(newest)])


def test_updates_are_a_function_of_the_seed(cases, model):
    def maps(seed):
        sampler = sampler_of(cases, seed=seed)
        updated(sampler, model, 4 * block_cost(model), epochs=3)
        return refreshed(sampler), [
            sampler.error_maps[i].path.read_bytes() for i in refreshed(sampler)
        ]

    assert maps(1) == maps(1)
    assert maps(1)[0] != maps(2)[0]


def test_an_update_after_a_restore_is_the_same(cases, model, tmp_path):
    def continued(sampler):
        updated(sampler, model, 4 * block_cost(model), epochs=2)
        return refreshed(sampler), [
            sampler.error_maps[i].path.read_bytes() for i in refreshed(sampler)
        ]

    first = sampler_of(cases, folder=tmp_path / "maps")
    callback = ErrorMapUpdate(
        first, budget=4 * block_cost(model), remove_replaced=False
    )
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    state = first.state()
    again = sampler_of(cases, folder=tmp_path / "maps")
    callback.on_epoch_end(1, {})
    callback.on_epoch_end(2, {})
    expected = (
        refreshed(first),
        [first.error_maps[i].path.read_bytes() for i in refreshed(first)],
    )
    again.restore(state)
    assert continued(again) == expected


def test_mean_error_is_that_of_all_cases(cases, model):
    sampler = sampler_of(cases)
    (logs,) = updated(sampler, model, 4 * block_cost(model))
    means = [sampler.error_maps.mean_error(i) for i in range(3)]
    # Of two cases nothing is known.
    assert sorted(means)[1:] == [1, 1] and min(means) < 1
    assert logs["mean_error"] == pytest.approx(np.mean(means))


def test_slices_are_refreshed_one_by_one(make_case, monkeypatch):
    from keras_isample.models import SliceGeometry
    from keras_isample.models import unet

    monkeypatch.setattr(block_update, "block_side", block_side)
    rng = np.random.default_rng(0)
    case = make_case(rng.integers(0, 3, SHAPE), rng.integers(-900, 900, SHAPE))
    geometry = SliceGeometry(8, axis=2)
    sampler = ISample([case], geometry=geometry, sample_from="all")
    model = unet(3, input_shape=(None, None, 1), filters=(3, 4))
    model.metadata["axis"] = 2
    each = predictor_for(model).multiplications(case.scan()) // SHAPE[2]
    updated(sampler, model, 3 * each + 1)
    grid = sampler.error_maps.grid(0)
    assert grid.counts[:2] == (1, 1)
    assert 1 <= len(refreshed(sampler)[0]) <= 3


def test_a_budget_needs_all_cases(cases):
    with pytest.raises(ValueError, match='sample_from="all"'):
        ErrorMapUpdate(ISample(cases, patch_size=4), budget=10)


def test_a_budget_and_whole_cases_contradict_each_other(cases):
    with pytest.raises(ValueError, match="num_cases"):
        ErrorMapUpdate(sampler_of(cases), budget=10, num_cases=2)


def test_cases_and_their_tiles_are_shown(cases, model, listener):
    sampler = sampler_of(cases[:2])
    budget = 2 * block_update.BLOCKS_PER_CASE * block_cost(model)
    callback = ErrorMapUpdate(sampler, budget=budget, reporter=listener)
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    heard = listener.heard
    assert heard[:2] == ["begin error maps", "error maps: case 1 of 2"]
    assert "error maps: case 1 of 2, 100 % of its blocks" in heard
    assert heard[-2:] == ["error maps: 2 of 2", "end error maps"]
