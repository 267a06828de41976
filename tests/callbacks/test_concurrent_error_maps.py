"""Error maps of another process; which ones are taken, and when."""

import json

import keras
import numpy as np
import pytest

from keras_isample.callbacks import ConcurrentErrorMaps
from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks import concurrent_error_maps
from keras_isample.callbacks.error_map_agenda import FinishedMap
from keras_isample.callbacks.error_map_log import ErrorMapLog
from keras_isample.errors import InputError
from keras_isample.models import dual_path_resnet
from keras_isample.sampling import ISample
from keras_isample.sampling.error_map_files import read_tiles
from keras_isample.sampling.error_map_files import write_tiles
from keras_isample.sampling.error_maps import stored_errors

SHAPE = (9, 8, 7)


@pytest.fixture
def cases(make_case):
    rng = np.random.default_rng(0)
    return [
        make_case(
            rng.integers(0, 2, SHAPE),
            rng.integers(-900, 900, SHAPE),
            name=f"case{i}",
        )
        for i in range(3)
    ]


class StandIn:
    """Makes the maps that a test asks for, at once and in this process.

    A map of version v has the error v / 10 everywhere.
    """

    def __init__(self, agenda, cases, seed, weights, folder, **options):
        self.agenda = agenda
        self.cases = cases
        self.weights = weights
        self.folder = folder
        self.options = options
        self.closed = False

    def publish(self, version):
        assert self.weights.path(version).exists()
        self.agenda.newest = version

    def want(self, pairs):
        self.agenda.want(pairs)

    def make(self, number=1):
        for _ in range(number):
            case, version = self.agenda.begin()
            assert self.weights.path(version).exists()
            path = self.folder / f"made-{case}-{version}.npy"
            p = np.full((*SHAPE, 2), 1 - version / 10, np.float32)
            tiles = [((0, 0, 0), p)]
            errors = stored_errors(self.cases[case], tiles, (0,))
            write_tiles(path, SHAPE, errors)
            self.agenda.finish(FinishedMap(path, version))

    def finished(self):
        return self.agenda.take_all()[0]

    def wait_for(self, pairs):
        self.want(pairs)
        while (found := self.agenda.take(pairs)) is None:
            self.make()
        return found

    def versions(self):
        return self.agenda.versions()

    def close(self):
        self.closed = True


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(concurrent_error_maps, "ErrorMapProcess", StandIn)


def small(cases, **options):
    return ISample(cases, patch_size=4, batch_size=2, **options)


def small_model():
    x = keras.Input((2,))
    return keras.Model(x, keras.layers.Dense(1)(x))


def begun(sampler, folder, **options):
    """The callback at the start of training, epochs of 5 steps."""
    maps = ConcurrentErrorMaps(sampler, folder, **options)
    maps.set_model(small_model())
    maps.set_params({"steps": 5})
    maps.on_train_begin()
    return maps


def end_epoch(maps):
    logs = {}
    maps.on_epoch_end(0, logs)
    return logs


def in_use(sampler):
    """Version of the map of each case."""
    maps = [sampler.error_maps[i] for i in range(len(sampler.cases))]
    return [m and m.version for m in maps]


def decisions(folder):
    lines = (folder / "log.jsonl").read_text().splitlines()[1:]
    return [dict(json.loads(line)["maps"]) for line in lines]


def versions_kept(folder):
    return sorted(int(p.stem) for p in (folder / "weights").glob("*.npz"))


def test_epochs_go_on_without_any_map(cases, stand_in, tmp_path):
    sampler = small(cases)
    maps = begun(sampler, tmp_path)
    for epoch in range(1, 4):
        logs = end_epoch(maps)
        assert sampler.epoch == epoch
        assert logs["acceptance_rate"] == logs["mean_error"] == 1
        assert logs["error_maps_new"] == 0
        assert "error_map_step" not in logs
        assert logs["seconds_error_maps"] > 0
    assert in_use(sampler) == [None] * 3


def test_untrained_weights_are_not_predicted_with(cases, stand_in, tmp_path):
    maps = begun(small(cases), tmp_path)
    assert maps._process.agenda.begin() is None
    assert versions_kept(tmp_path) == []


def test_maps_that_are_finished_are_drawn_from(cases, stand_in, tmp_path):
    sampler = small(cases)
    maps = begun(sampler, tmp_path)
    end_epoch(maps)
    maps._process.make(2)
    logs = end_epoch(maps)
    # Errors of 0.1, 0.1 and 1; the rounding is exact in the mean.
    assert logs["mean_error"] == pytest.approx(0.4, abs=0.002)
    assert logs["error_maps_new"] == 2
    assert logs["error_map_step"] == 5
    assert logs["acceptance_rate"] == 1
    assert sampler.acceptance_rate() == pytest.approx((0.22 + 1) / 3, abs=0.01)
    assert sampler.used == [0, 1, 2]
    assert sorted(v or 0 for v in in_use(sampler)) == [0, 1, 1]


def test_cases_take_turns_with_the_newest_weights(cases, stand_in, tmp_path):
    sampler = small(cases)
    maps = begun(sampler, tmp_path)
    steps = []
    for _ in range(5):
        logs = end_epoch(maps)
        steps.append(logs.get("error_map_step"))
        maps._process.make()
    # Versions 1; 1, 2; 1, 2, 3; 4, 2, 3, each of 5 steps.
    assert steps == [None, 5, 7.5, 10, 15]
    taken = decisions(tmp_path)
    assert [list(maps.values()) for maps in taken] == [[], [1], [2], [3], [4]]
    order = [next(iter(maps)) for maps in taken[1:]]
    assert sorted(order[:3]) == [0, 1, 2] and order[3] == order[0]


def test_order_is_that_of_the_seed(cases, stand_in, tmp_path):
    def order(seed):
        sampler = small(cases, seed=seed)
        return begun(sampler, tmp_path / f"{seed}")._process.agenda._order

    orders = [order(seed) for seed in range(6)]
    assert orders == [order(seed) for seed in range(6)]
    assert len(set(map(tuple, orders))) > 1


def test_decision_is_on_disk_before_it_is_carried_out(
    cases, stand_in, tmp_path, monkeypatch
):
    sampler = small(cases)
    maps = begun(sampler, tmp_path)
    end_epoch(maps)
    maps._process.make(3)
    seen = []

    def update(index, *arguments, **options):
        seen.append(decisions(tmp_path)[-1])
        raise RuntimeError("killed")

    monkeypatch.setattr(sampler.error_maps, "update", update)
    with pytest.raises(RuntimeError):
        end_epoch(maps)
    assert seen == [{0: 1, 1: 1, 2: 1}]
    assert in_use(sampler) == [None] * 3


def test_logged_maps_are_taken_again_and_no_others(cases, stand_in, tmp_path):
    folder, sampler = tmp_path / "first", small(cases)
    maps = begun(sampler, folder)
    made = [1, 0, 3, 2, 1]
    logs = []
    for number in made:
        logs.append(end_epoch(maps))
        maps._process.make(number)
    logged = decisions(folder)

    again = tmp_path / "again"
    again.mkdir()
    (again / "log.jsonl").write_text((folder / "log.jsonl").read_text())
    second = small(cases)
    maps = begun(second, again)
    for epoch in range(5):
        found = end_epoch(maps)
        for name in set(found) - {"seconds_error_maps"}:
            assert found[name] == logs[epoch][name]
    assert decisions(again) == logged
    assert in_use(second) == in_use(sampler)
    # From here on it decides again.
    maps._process.make(2)
    end_epoch(maps)
    assert len(decisions(again)) == 6
    assert len(decisions(again)[-1]) == 2


def test_killed_before_the_checkpoint_it_comes_back_to_its_decision(
    cases, stand_in, tmp_path
):
    sampler = small(cases, folder=tmp_path / "maps")
    maps = begun(sampler, tmp_path, remove_replaced=False)
    end_epoch(maps)
    maps._process.make(2)
    end_epoch(maps)
    state = sampler.state()
    maps._process.make()
    end_epoch(maps)
    expected = in_use(sampler)

    resumed = small(cases, folder=tmp_path / "maps")
    resumed.restore(state)
    maps = begun(resumed, tmp_path)
    # More is ready this time.
    maps._process.make(3)
    end_epoch(maps)
    assert in_use(resumed) == expected


def test_weights_that_a_decision_needs_are_kept(cases, stand_in, tmp_path):
    maps = begun(small(cases), tmp_path)
    end_epoch(maps)
    assert versions_kept(tmp_path) == [1]
    maps._process.agenda.begin()
    for _ in range(3):
        end_epoch(maps)
    # A map of version 1 is still being made.
    assert versions_kept(tmp_path) == [1, 4]
    maps._process.make(3)
    assert end_epoch(maps)["error_maps_new"] == 3
    # The checkpoint of this epoch is still to come.
    assert versions_kept(tmp_path) == [4, 5]
    end_epoch(maps)
    assert versions_kept(tmp_path) == [6]
    maps.on_train_end()
    assert versions_kept(tmp_path) == []
    assert maps._process is None


@pytest.fixture
def logged(cases, tmp_path):
    """Decisions of an earlier run: a map of version 1 at epoch 4."""
    log = ErrorMapLog(
        tmp_path / "log.jsonl",
        {"seed": 0, "steps": 5, "cases": [case.name for case in cases]},
    )
    for epoch, taken in enumerate([{}, {}, {}, {0: 1}], start=1):
        log.add(epoch, taken)


def test_weights_of_decisions_to_come_are_kept(
    cases, stand_in, tmp_path, logged
):
    maps = begun(small(cases), tmp_path)
    for _ in range(3):
        end_epoch(maps)
    assert versions_kept(tmp_path) == [1, 3]
    # A shorter run that is made longer later on.
    maps.on_train_end()
    assert versions_kept(tmp_path) == [1]


@pytest.mark.parametrize("epoch", [2, 3])
def test_weights_that_are_lost_are_named(
    cases, stand_in, tmp_path, logged, epoch
):
    sampler = small(cases)
    sampler.epoch = epoch
    with pytest.raises(InputError, match="000001.npz: is missing"):
        begun(sampler, tmp_path)


@pytest.mark.parametrize("epoch", [0, 1, 4])
def test_weights_that_will_be_made_or_not_needed_are_not_missed(
    cases, stand_in, tmp_path, logged, epoch
):
    sampler = small(cases)
    sampler.epoch = epoch
    begun(sampler, tmp_path)


def test_resumed_run_predicts_with_its_weights_at_once(
    cases, stand_in, tmp_path
):
    sampler = small(cases)
    sampler.epoch = 7
    maps = begun(sampler, tmp_path)
    maps._process.make(3)
    end_epoch(maps)
    assert in_use(sampler) == [7] * 3


def test_log_of_another_run_is_refused(cases, stand_in, tmp_path):
    end_epoch(begun(small(cases), tmp_path))
    with pytest.raises(InputError, match="belongs to a run of other cases"):
        begun(small(cases, seed=1), tmp_path)


def test_files_of_replaced_maps_are_removed(cases, stand_in, tmp_path):
    sampler = small(cases, folder=tmp_path / "maps")
    maps = begun(sampler, None)
    for _ in range(3):
        end_epoch(maps)
        maps._process.make(3)
    names = {p.name for p in (tmp_path / "maps").glob("*.npy")}
    kinds = ("", ".mean", ".blocks")
    assert names == {
        f"0000{i}-000002{kind}.npy" for i in range(3) for kind in kinds
    }
    # By itself everything else is beside the maps.
    assert (tmp_path / "maps" / "concurrent" / "log.jsonl").exists()


def test_choices_reach_the_process(cases, stand_in, tmp_path):
    maps = begun(small(cases), tmp_path, gpu="3", tile_memory=10**7)
    assert maps._process.options == {"gpu": "3", "tile_memory": 10**7}


def test_next_training_has_a_process_of_its_own(cases, stand_in, tmp_path):
    maps = begun(small(cases), tmp_path)
    first = maps._process
    maps.on_train_begin()
    assert first.closed and not maps._process.closed
    maps.close()
    maps.close()


def test_uniform_sampling_needs_none(cases):
    with pytest.raises(ValueError, match="isample"):
        ConcurrentErrorMaps(small(cases, sampling="uniform"))


def test_model_of_another_context_is_refused(cases, tmp_path):
    maps = ConcurrentErrorMaps(small(cases, context_width=4), tmp_path)
    maps.set_model(dual_path_resnet(2, width=0.1))
    with pytest.raises(ValueError, match="context_width"):
        maps.on_train_begin()
    assert not (tmp_path / "weights").exists()


@pytest.mark.slow
def test_maps_are_those_of_an_update_with_these_weights(
    cases, tmp_path, randomize
):
    """By the real process, bit for bit."""
    model = randomize(dual_path_resnet(2, width=0.1))
    sampler = small(cases, folder=tmp_path / "a")
    maps = ConcurrentErrorMaps(sampler, tmp_path / "concurrent")
    maps.set_model(model)
    maps.set_params({"steps": 5})
    maps.on_train_begin()
    end_epoch(maps)
    expected = small(cases, folder=tmp_path / "b")
    update = ErrorMapUpdate(expected)
    update.set_model(model)
    update.on_epoch_end(0, {})
    # The process is still starting; it must not see later weights.
    randomize(model, 1)
    made = maps._process.wait_for([(i, 1) for i in range(3)])
    for index, error_map in made.items():
        sampler.error_maps.update(
            index, None, read_tiles(error_map.path), version=1, seed=0
        )
        one, two = sampler.error_maps[index], expected.error_maps[index]
        assert one.path.read_bytes() == two.path.read_bytes()
        assert np.array_equal(one.histogram, two.histogram)
        assert one.version == two.version == 1
        assert np.load(one.path).std() > 10
    maps.close()
