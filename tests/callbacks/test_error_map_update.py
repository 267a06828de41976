"""Error maps after each epoch, from the weights of that moment."""

import keras
import numpy as np
import pytest

from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks.error_map_update import _random_subset
from keras_isample.callbacks.error_map_update import introduce
from keras_isample.inference import predictor_for
from keras_isample.losses import CrossEntropy
from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet
from keras_isample.sampling import ISample


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
            rng.integers(0, 3, (9, 8, 7)),
            rng.integers(-900, 900, (9, 8, 7)),
            name=f"case{i}",
        )
        for i in range(4)
    ]


def small(cases, **options):
    return ISample(cases, patch_size=4, batch_size=2, **options)


def updated(sampler, model, epochs=1, **options):
    """The callback and its logs after some epochs without training."""
    callback = ErrorMapUpdate(sampler, **options)
    callback.set_model(model)
    logs = [{} for _ in range(epochs)]
    for epoch in range(epochs):
        callback.on_epoch_end(epoch, logs[epoch])
    return callback, logs


def test_maps_are_one_minus_the_probability_of_the_true_class(cases, model):
    sampler = small(cases[:1])
    updated(sampler, model)
    p = np.zeros((9, 8, 7, 3))
    for start, tile in predictor_for(model).tiles(cases[0].scan()):
        p[tuple(slice(a, None) for a in start)][
            tuple(slice(0, n) for n in tile.shape[:3])
        ] = tile
    labels = cases[0].labels().astype(int)
    true = np.take_along_axis(p, labels[..., None], -1)[..., 0]
    stored = np.load(sampler.error_maps[0].path)
    assert stored.std() > 10
    assert np.abs(stored / 255 - (1 - true)).max() <= 1.01 / 255


def test_maps_follow_the_weights(cases, model, randomize):
    sampler = small(cases[:1])
    callback, _ = updated(sampler, model)
    before = sampler.error_maps.errors(0).copy()
    randomize(model, 7)
    callback.on_epoch_end(1, {})
    assert (sampler.error_maps.errors(0) != before).mean() > 0.5


def test_every_update_begins_a_new_epoch_of_draws(cases, model):
    sampler = small(cases)
    updated(sampler, model, epochs=2)
    assert sampler.epoch == 2


def test_a_subset_is_refreshed_and_drawn_from(cases, model):
    sampler = small(cases)
    updated(sampler, model, num_cases=2)
    refreshed = [i for i in range(4) if sampler.error_maps[i] is not None]
    assert len(refreshed) == 2
    assert sampler.used == refreshed


def test_from_all_every_case_stays_in_use(cases, model):
    sampler = small(cases, sample_from="all")
    updated(sampler, model, num_cases=1)
    assert sampler.used == [0, 1, 2, 3]
    refreshed = [i for i in range(4) if sampler.error_maps[i] is not None]
    assert len(refreshed) == 1


def test_every_case_comes_once_in_as_many_updates_as_that_takes(cases, model):
    sampler = small(cases)
    callback = ErrorMapUpdate(sampler, num_cases=1)
    callback.set_model(model)
    used = []
    for epoch in range(12):
        callback.on_epoch_end(epoch, {})
        used += sampler.used
    rounds = [used[i : i + 4] for i in (0, 4, 8)]
    assert [sorted(indices) for indices in rounds] == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize(("count", "size"), [(8, 4), (7, 3), (5, 5), (6, 1)])
def test_a_round_of_subsets_reaches_every_case(count, size):
    per_round = -(-count // size)
    rounds = [
        [
            _random_subset(count, size, turn, 0)
            for turn in range(first, first + per_round)
        ]
        for first in (0, per_round)
    ]
    for subsets in rounds:
        assert {len(set(subset)) for subset in subsets} == {size}
        assert set().union(*subsets) == set(range(count))


def test_rounds_have_orders_of_their_own():
    orders = {
        tuple(_random_subset(9, 1, turn, seed)[0] for turn in range(k, k + 9))
        for seed in (0, 1)
        for k in (0, 9)
    }
    assert len(orders) == 4


def test_subsets_are_a_function_of_seed_and_epoch(cases, model):
    subsets = []
    for _ in range(2):
        sampler = small(cases, seed=3)
        updated(sampler, model, epochs=3, num_cases=2)
        subsets.append(sampler.used)
    assert subsets[0] == subsets[1]


def test_more_cases_than_there_are_means_all(cases, model):
    sampler = small(cases)
    updated(sampler, model, num_cases=99)
    assert sampler.used == [0, 1, 2, 3]


def test_files_of_replaced_maps_are_removed(cases, model, tmp_path):
    sampler = small(cases[:1], folder=tmp_path / "maps")
    updated(sampler, model, epochs=3)
    files = {path.name for path in (tmp_path / "maps").iterdir()}
    kinds = ("", ".blocks", ".mean")
    assert files == {f"00000-000003{kind}.npy" for kind in kinds}


def test_files_of_replaced_maps_can_be_kept(cases, model, tmp_path):
    sampler = small(cases[:1], folder=tmp_path / "maps")
    updated(sampler, model, epochs=3, remove_replaced=False)
    assert len(list((tmp_path / "maps").glob("?????-??????.npy"))) == 3


def test_maps_do_not_grow_with_the_cases_that_were_ever_refreshed(
    cases, model, tmp_path
):
    sampler = small(cases, folder=tmp_path / "maps")
    updated(sampler, model, epochs=8, num_cases=1)
    assert len(list((tmp_path / "maps").glob("?????-??????.npy"))) == 1
    assert len(sampler.state()["indices"]) == 1


def test_running_means_outlive_the_maps(cases, model, tmp_path):
    sampler = small(cases, folder=tmp_path / "maps")
    updated(sampler, model, epochs=6, num_cases=1)
    maps = sampler.error_maps
    resting = {i for i in range(4) if maps[i] is None}
    assert len(resting) == 3
    again = small(cases, folder=tmp_path / "maps").error_maps
    again.restore(maps.state())
    for index in range(4):
        means = maps.running_means(index)
        assert 0 < means.mean() < 255
        assert (again.running_means(index) == means).all()
    # Two cases were refreshed twice.
    updates = [m.blocks[0, 1] for m in {**maps._maps, **maps._resting}.values()]
    assert sorted(updates) == [1, 1, 2, 2]


def test_from_all_the_maps_of_earlier_updates_stay(cases, model):
    sampler = small(cases, sample_from="all")
    updated(sampler, model, epochs=8, num_cases=2)
    assert sampler.state()["indices"].tolist() == [0, 1, 2, 3]


def test_the_acceptance_rate_is_that_of_the_epoch_that_ends(cases, model):
    sampler = small(cases)
    rates = [sampler.acceptance_rate()]
    callback = ErrorMapUpdate(sampler)
    callback.set_model(model)
    for epoch in range(2):
        logs = {}
        callback.on_epoch_end(epoch, logs)
        assert logs["acceptance_rate"] == rates[-1]
        rates.append(sampler.acceptance_rate())
    assert rates[0] == 1 and rates[1] < 1


@pytest.mark.parametrize("sample_from", ["refreshed", "all"])
def test_the_mean_error_is_that_of_the_refreshed_maps(
    cases, model, sample_from
):
    sampler = small(cases, sample_from=sample_from)
    _, (logs,) = updated(sampler, model, num_cases=2)
    maps = [sampler.error_maps[i] for i in range(4)]
    means = [np.load(m.path).mean() / 255 for m in maps if m is not None]
    assert logs["mean_error"] == pytest.approx(np.mean(means))
    assert logs["seconds_error_maps"] > 0


def test_uniform_sampling_makes_no_maps(cases, model):
    sampler = small(cases, sampling="uniform")
    _, (logs,) = updated(sampler, model)
    assert sampler.error_maps[0] is None and sampler.epoch == 1
    assert logs["acceptance_rate"] == 1 and "mean_error" not in logs


def test_no_case_is_refused(cases):
    with pytest.raises(ValueError, match="`num_cases`"):
        ErrorMapUpdate(small(cases), num_cases=0)


@pytest.mark.slow
def test_fit_logs_and_trains_with_the_callback(cases, model):
    sampler = small(cases[:2])
    model.compile(keras.optimizers.SGD(0.01), loss=CrossEntropy())
    history = model.fit(
        sampler.dataset(2),
        epochs=2,
        callbacks=[ErrorMapUpdate(sampler)],
        verbose=0,
    ).history
    assert history["acceptance_rate"][0] == 1 > history["acceptance_rate"][1]
    assert len(history["mean_error"]) == 2 and sampler.epoch == 2


def test_a_model_learns_how_its_scans_were_prepared(write_cohort):
    rng = np.random.default_rng(1)
    images = [rng.integers(-900, 900, (6, 6, 6)).astype(np.int16)]
    labels = [rng.integers(0, 3, (6, 6, 6)).astype(np.uint8)]
    cohort = write_cohort(images, labels, ["liver", "spleen"])
    model = dual_path_resnet(3, width=0.1)
    callback = ErrorMapUpdate(small(cohort))
    callback.set_model(model)
    callback.on_train_begin()
    facts = model.metadata["preprocessing"]
    assert facts["spacing"] is None and facts["intensity"] == "ct"
    assert facts["class_names"] == ["background", "liver", "spleen"]


def test_a_network_of_slices_learns_their_axis(make_case):
    case = make_case(np.zeros((8, 8, 8)), num_classes=2)
    sampler = ISample([case], geometry=SliceGeometry(8, axis=1))
    model = unet(2, width=0.1)
    introduce(model, sampler)
    assert model.metadata["axis"] == 1
    with pytest.raises(ValueError, match="axis=1, the sampler 0"):
        introduce(model, ISample([case], geometry=SliceGeometry(8, axis=0)))


def test_a_network_of_slices_needs_slices(make_case):
    case = make_case(np.zeros((8, 8, 8)), num_classes=2)
    sampler = ISample([case], geometry=PlainGeometry(8))
    with pytest.raises(ValueError, match="Use a SliceGeometry"):
        introduce(unet(2, width=0.1), sampler)


def test_cases_and_their_tiles_are_shown(cases, model, listener):
    updated(small(cases), model, num_cases=2, reporter=listener)
    assert listener.heard == [
        "begin error maps",
        "error maps: case 1 of 2, 100 % of its voxels",
        "error maps: case 2 of 2",
        "error maps: case 2 of 2, 100 % of its voxels",
        "error maps: 2 of 2",
        "end error maps",
    ]
