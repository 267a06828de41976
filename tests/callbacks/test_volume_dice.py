"""Dice of whole scans, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.callbacks import VolumeDice
from keras_isample.callbacks import volume_dice

SHAPE = (6, 5, 4)


def image_of(foreground):
    return np.where(foreground, 300, -300).astype(np.int16)


def first(count):
    """A mask of the first `count` voxels."""
    return (np.arange(120) < count).reshape(SHAPE)


@pytest.fixture(scope="module")
def built():
    return {}


@pytest.fixture
def callback(built, write_cohort, threshold_model):
    """Two cases of a model that finds "a" where the scan is bright."""
    cohort = write_cohort(
        [image_of(first(30)), image_of(first(40))],
        # Of 30 found 20 are right, of 40 all 40; "b" is in the first only.
        [
            (first(20) * 1 + (first(120) ^ first(110)) * 2).astype(np.uint8),
            first(40).astype(np.uint8),
        ],
        ["a", "b"],
    )
    callback = VolumeDice(cohort, every=2)
    if not built:
        built["model"] = threshold_model(3)
    callback.set_model(built["model"])
    return callback


def test_dice_of_each_class_is_the_mean_over_cases_that_have_it(callback):
    # 2 * 20 / (30 + 20) and 1; "b" is never found, absent from both in case 2.
    assert callback.dice() == pytest.approx([(0.8 + 1) / 2, 0])


def test_the_logs_have_each_class_and_their_mean(callback):
    logs = {}
    callback.on_epoch_end(1, logs)
    assert logs["val_dice_a"] == pytest.approx(0.9)
    assert logs["val_dice_b"] == 0
    assert logs["val_dice"] == pytest.approx(0.45)
    assert logs["seconds_validation"] > 0


def test_a_class_that_was_not_annotated_is_left_out(callback):
    callback.cases[0] = replace(callback.cases[0], missing=(2,))
    logs = {}
    callback.on_epoch_end(1, logs)
    assert np.isnan(logs["val_dice_b"])
    assert logs["val_dice"] == pytest.approx(0.9)


def test_an_organ_found_that_was_not_annotated_is_no_error_of_others(
    callback, monkeypatch
):
    """The scan holds "a" and "b"; both are found, only "a" was annotated."""
    found = first(40) + 2 * (first(60) ^ first(40))
    callback.cases = [replace(callback.cases[1], missing=(2,), merged=(2,))]
    monkeypatch.setattr(
        volume_dice, "predict_label_map", lambda *_, **__: found
    )
    logs = {}
    callback.on_epoch_end(1, logs)
    assert logs["val_dice_a"] == logs["val_dice"] == 1
    assert np.isnan(logs["val_dice_b"])


@pytest.fixture
def validated(write_cohort, monkeypatch):
    """Function from truth and findings in each case to an epoch's logs.

    Of classes "a" and "b". Further findings are those of further epochs.
    """

    def validate(truth, *epochs):
        cohort = write_cohort(
            [image_of(first(30)) for _ in truth],
            [labels.astype(np.uint8) for labels in truth],
            ["a", "b"],
        )
        callback = VolumeDice(cohort)
        callback.set_model(None)
        found = iter([labels for epoch in epochs for labels in epoch])
        monkeypatch.setattr(
            volume_dice, "predict_label_map", lambda *_, **__: next(found)
        )
        logs = []
        for epoch in range(len(epochs)):
            logs.append({})
            callback.on_epoch_end(epoch, logs[-1])
        return callback, logs

    return validate


EMPTY = first(0) * 1


def test_where_no_case_has_a_structure_there_is_no_score(validated):
    """Not 0 for an epoch that found something, either."""
    callback, logs = validated([EMPTY], [first(9) * 1], [EMPTY])
    for epoch in logs:
        assert np.isnan(epoch["val_dice"]) and np.isnan(epoch["val_iou"])
        assert np.isnan(epoch["val_dice_a"])
    assert [epoch["val_accuracy"] for epoch in logs] == [111 / 120, 1]
    assert callback.scored_classes == []
    (note,) = callback.notes()
    assert "there is no validation score: the newest model is kept" in note


def test_a_class_that_no_case_has_lowers_no_score(validated):
    """Else an epoch that never looks for "b" would win against a better one."""
    found = first(20) + 2 * (first(120) ^ first(119))
    callback, logs = validated([first(20) * 1], [found], [first(10) * 1])
    assert [epoch["val_dice"] for epoch in logs] == [1, pytest.approx(2 / 3)]
    assert np.isnan(logs[0]["val_dice_b"])
    assert callback.notes() == ["no validation case has b: no score for it"]


def test_finding_nothing_where_nothing_is_is_no_worse_than_an_error(validated):
    truth = [first(20) + 2 * (first(40) ^ first(20)), EMPTY]
    wrong, right = [truth[0], first(1) * 1], [truth[0], EMPTY]
    callback, logs = validated(truth, wrong, right)
    # Of "a": 1 and 0 against 1 alone; of "b" 1 alone.
    assert [epoch["val_dice"] for epoch in logs] == [(0.5 + 1) / 2, 1]
    (note,) = callback.notes()
    assert note.startswith("1 of 2 validation cases have none of the structure")


def test_a_class_not_annotated_where_it_is_has_no_score(validated):
    truth = first(20) + 2 * (first(40) ^ first(20))
    callback, _ = validated([truth])
    assert callback.notes() == []
    callback.cases[0] = replace(callback.cases[0], missing=(2,))
    assert callback.notes() == ["no validation case has b: no score for it"]


def test_only_every_second_epoch_is_validated(callback):
    for epoch, expected in ((0, False), (1, True), (2, False), (3, True)):
        logs = {}
        callback.on_epoch_end(epoch, logs)
        assert ("val_dice" in logs) == expected


def test_later_weights_are_seen(callback, threshold_model):
    callback.set_model(threshold_model(3))
    before = callback.dice()
    last = callback.model.get_layer("fc2")
    kernel, bias = last.get_weights()
    last.set_weights([kernel, bias + [0, 1e4, 0]])
    # Class 1 everywhere: 2 * 20 / (120 + 20) and 2 * 40 / (120 + 40).
    assert before[0] == pytest.approx(0.9)
    assert callback.dice()[0] == pytest.approx((2 / 7 + 0.5) / 2)


def test_other_than_a_cohort_is_refused():
    with pytest.raises(ValueError, match="`cohort` must be a Cohort"):
        VolumeDice([])


def test_every_must_be_at_least_1(write_cohort):
    masks = [first(20).astype(np.uint8)]
    cohort = write_cohort([image_of(first(20))], masks, ["a"])
    with pytest.raises(ValueError, match="`every`"):
        VolumeDice(cohort, every=0)


def test_cases_and_their_tiles_are_shown(callback, listener):
    callback.reporter = listener
    callback.on_epoch_end(1, {})
    assert listener.heard == [
        "begin validation",
        "validation: case 1 of 2, 100 % of its voxels",
        "validation: case 2 of 2",
        "validation: case 2 of 2, 100 % of its voxels",
        "validation: 2 of 2",
        "end validation",
    ]


def test_preparing_is_counted(write_cohort):
    masks = [first(20).astype(np.uint8)]
    cohort = write_cohort([image_of(first(20))], masks, ["a"])
    calls = []
    VolumeDice(cohort, progress=lambda *call: calls.append(call))
    assert calls == [(1, 1)]
