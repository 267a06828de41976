"""Error maps from the errors of the training patches."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.callbacks import OnlineErrorMaps
from keras_isample.callbacks.online_error_maps import update_voxels
from keras_isample.losses import CrossEntropy
from keras_isample.models import dual_path_resnet
from keras_isample.sampling import ISample

SHAPE = (9, 8, 7)


@pytest.fixture
def cases(make_case):
    rng = np.random.default_rng(0)
    return [
        make_case(
            rng.integers(0, 3, SHAPE),
            rng.integers(-900, 900, SHAPE),
            name=f"case{i}",
        )
        for i in range(2)
    ]


def small(cases, **options):
    return ISample(cases, patch_size=4, batch_size=2, **options)


def shown(sampler, errors):
    """The callback after an epoch whose batches had given errors."""
    online = OnlineErrorMaps(sampler)
    online.on_epoch_begin(0)
    for batch in errors:
        online.metric.errors.assign(batch)
        online.on_train_batch_end(0)
    logs = {}
    online.on_epoch_end(0, logs)
    return logs


def in_scan(sampler, steps):
    """Arrays of the patches' voxels in the scan: case, place, inside."""
    first = np.array(sampler.geometry.labels.first)
    grid = np.stack(np.indices((4, 4, 4)), axis=-1) + first
    for case, center, matrix in sampler.centers(steps).as_numpy_iterator():
        place = np.rint(center + grid @ matrix.T).astype(int)
        inside = ((place >= 0) & (place < SHAPE)).all(axis=-1)
        yield case, place, inside


@pytest.mark.parametrize("augment", [False, True])
def test_errors_are_carried_back_to_the_scan(cases, augment):
    sampler = small(cases, augment=augment)
    errors = np.random.default_rng(1).random((3, 2, 4, 4, 4))
    expected = [np.full(SHAPE, np.nan) for _ in cases]
    patches = errors.reshape(6, 4, 4, 4)
    for patch, (case, place, inside) in zip(
        patches, in_scan(sampler, 3), strict=True
    ):
        for voxel, value in zip(place[inside], patch[inside], strict=True):
            expected[case][tuple(voxel)] = value
    shown(sampler, errors)
    for index, wanted in enumerate(expected):
        known = ~np.isnan(wanted)
        stored = sampler.error_maps.errors(index).reshape(SHAPE)
        assert known.sum() > 20
        assert np.abs(stored / 255 - wanted)[known].max() <= 1.01 / 255


def test_labels_of_a_patch_lie_where_its_errors_go(cases):
    """The mapping is that of the labels that the network was compared with."""
    sampler = small(cases, augment=True)
    labels = np.concatenate([y for _, y in sampler.dataset(8)])
    agree, total = 0, 0
    for patch, (case, place, inside) in zip(
        labels, in_scan(sampler, 8), strict=True
    ):
        true = cases[case].labels()[tuple(place[inside].T)]
        agree += (patch[inside] == true).sum()
        total += inside.sum()
    assert agree / total > 0.99


def test_what_was_never_shown_counts_as_its_class(cases):
    sampler = small(cases[:1], augment=False)
    errors = np.full((1, 2, 4, 4, 4), 0.2)
    shown(sampler, errors)
    stored = sampler.error_maps.errors(0)
    # 0.2 is level 51.
    assert set(np.unique(stored)) <= {50, 51, 52}
    assert stored.mean() == pytest.approx(51, abs=0.1)


def test_small_errors_keep_what_was_never_shown_reachable(make_case):
    label_map = np.zeros((40, 20, 20), int)
    sampler = small([make_case(label_map, num_classes=2)], augment=False)
    positions, errors = np.arange(100), np.full(100, 0.001)
    errors[0] = 0.1  # A mean of 0.002, about half a level.
    maps = sampler.error_maps
    update_voxels(maps, 0, positions, errors, version=1, seed=0)
    unseen = maps.errors_of(0, 0, np.arange(100, 200))
    assert (0.2 < unseen).all() and (unseen < 0.8).all()


def test_class_that_was_never_shown_counts_as_1(make_case):
    label_map = np.zeros((20, 8, 8), int)
    label_map[18:] = 1
    case = make_case(label_map, np.zeros(label_map.shape))
    sampler = small([case], augment=False)
    maps = sampler.error_maps
    update_voxels(maps, 0, np.array([5]), np.array([0.0]), version=1, seed=0)
    stored = maps.errors(0).reshape(20, 8, 8)
    assert (stored[:18] == 0).all() and (stored[18:] == 255).all()


def test_later_epochs_keep_what_they_do_not_show(cases):
    sampler = small(cases[:1], augment=False)
    maps = sampler.error_maps
    positions = np.arange(10)
    for version, number, level in ((1, 10, 20), (2, 4, 40)):
        errors = np.full(number, level / 255)
        update_voxels(
            maps, 0, positions[:number], errors, version=version, seed=0
        )
    stored = maps.errors(0)
    assert (stored[:4] == 40).all() and (stored[4:10] == 20).all()


def test_newest_error_of_a_voxel_wins(cases):
    maps = small(cases[:1]).error_maps
    positions, errors = np.array([7, 7]), np.array([0.0, 1.0])
    update_voxels(maps, 0, positions, errors, version=1, seed=0)
    assert maps.errors(0)[7] == 255


def test_histogram_is_that_of_what_was_shown(cases):
    sampler = small(cases[:1])
    errors = np.random.default_rng(2).random((2, 2, 4, 4, 4))
    shown(sampler, errors)
    labels = cases[0].labels().reshape(-1)
    levels, known = sampler.error_maps.lookup(0, np.arange(labels.size))
    assert 20 < known.sum() < labels.size
    for label in range(3):
        own = levels[known & (labels == label)]
        counts = np.bincount(own, minlength=256)
        assert (sampler.error_maps[0].histogram[label] == counts).all()


def test_next_epoch_is_drawn_from_the_maps(cases):
    sampler = small(cases)
    logs = shown(sampler, np.zeros((4, 2, 4, 4, 4)))
    assert sampler.epoch == 1
    assert logs["acceptance_rate"] == 1
    assert logs["mean_error"] < 0.5
    assert sampler.acceptance_rate() < 0.5
    assert logs["seconds_error_maps"] > 0


def test_replaced_files_are_removed(cases, tmp_path):
    sampler = small(cases[:1], folder=tmp_path / "maps")
    for _ in range(2):
        shown(sampler, np.zeros((1, 2, 4, 4, 4)))
    names = {path.name for path in (tmp_path / "maps").iterdir()}
    kinds = ("", ".blocks", ".mean", ".seen")
    assert names == {f"00000-000002{kind}.npy" for kind in kinds}


def test_uniform_sampling_needs_none(cases):
    with pytest.raises(ValueError, match="isample"):
        OnlineErrorMaps(small(cases, sampling="uniform"))


def test_metric_knows_the_merged_classes_of_the_sampler(cases):
    cases[1] = replace(cases[1], merged=(2,))
    online = OnlineErrorMaps(small(cases))
    assert online.metric.merged_classes == ((2,),)


def test_what_was_never_shown_of_a_merged_class_counts_as_background(
    make_case,
):
    label_map = np.arange(9 * 8 * 7).reshape(SHAPE) % 3
    case = replace(make_case(label_map), merged=(2,))
    sampler = small([case], augment=False)
    # A voxel of the background and one of class 1.
    positions, errors = np.array([0, 1]), np.array([51, 102]) / 255
    maps = sampler.error_maps
    update_voxels(maps, 0, positions, errors, version=1, seed=0)
    stored = maps.errors(0).reshape(SHAPE)
    assert (stored[label_map == 1] == 102).all()
    assert (stored[label_map != 1] == 51).all()


@pytest.mark.slow
def test_network_is_trained_with_them(cases):
    sampler = small(cases)
    online = OnlineErrorMaps(sampler)
    model = dual_path_resnet(3, width=0.1)
    model.compile("sgd", CrossEntropy(), metrics=[online.metric])
    model.fit(
        sampler.dataset(3),
        epochs=2,
        verbose=0,
        shuffle=False,
        callbacks=[online],
    )
    stored = sampler.error_maps.errors(0) / 255
    assert 0.2 < stored.mean() < 0.9


@pytest.mark.slow
def test_killed_run_goes_on_with_the_same_maps(
    tmp_path, ball_config, assert_same_end
):
    from keras_isample.training import fit

    settings = {"error_maps": "online", "width": 0.1}
    fit(ball_config(**settings), tmp_path / "whole")
    fit(ball_config(**settings, epochs=1), tmp_path / "run")
    fit(ball_config(**settings), tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", tmp_path / "whole")
