"""Hand schedules and the one that AutoLR found."""

import math

import pytest

from keras_isample.config import OptimizerConfig
from keras_isample.errors import InputError
from keras_isample.training.autolr_record import MemberPeriod
from keras_isample.training.autolr_record import MemberStart
from keras_isample.training.autolr_record import Period
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.autolr_record import kept_rows
from keras_isample.training.autolr_record import read_replayed
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.schedules import make_warmup
from keras_isample.training.schedules import piecewise


def rates(schedule, epochs, *, steps=1, warmup_epochs=0, rate=0.1):
    settings = OptimizerConfig(
        learning_rate=rate, lr_schedule=schedule, warmup_epochs=warmup_epochs
    )
    warmup = make_warmup(settings, epochs)
    return [
        warmup.rate(epoch, step, steps)
        for epoch in range(epochs)
        for step in range(steps)
    ]


def test_constant():
    assert rates("constant", 3) == [0.1, 0.1, 0.1]


def test_step_multiplies_every_so_many_epochs():
    found = rates("step:2:0.1", 5)
    assert found == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_poly_goes_to_0_by_its_power():
    found = rates("poly:2", 4)
    assert found == pytest.approx([0.1 * (1 - i / 4) ** 2 for i in range(4)])


def test_cosine_goes_to_0_by_half_a_wave():
    found = rates("cosine", 4)
    expected = [0.05 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]
    assert found == pytest.approx(expected, rel=1e-5)


def test_smooth_schedule_changes_at_every_step():
    found = rates("poly:1", 2, steps=2)
    assert found == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_smooth_schedule_warms_up_at_the_start_only():
    found = rates("poly:1", 4, steps=2, warmup_epochs=2)
    plain = rates("poly:1", 4, steps=2)
    assert found[4:] == plain[4:]
    factors = [f / p for f, p in zip(found[:4], plain[:4], strict=True)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1])


def test_segments_are_looked_up_by_epoch():
    schedule = piecewise([(0, 0.05), (2, 0.1), (4, 0.025)])
    found = [schedule(epoch) for epoch in range(6)]
    assert found == [0.05, 0.05, 0.1, 0.1, 0.025, 0.025]


def test_warm_up_between_segments_starts_at_the_rate_in_force():
    settings = OptimizerConfig(warmup_epochs=2)
    warmup = make_warmup(settings, 6, [(0, 0.04), (3, 0.08)])
    found = [warmup.rate(epoch, 0, 1) for epoch in range(6)]
    assert found == pytest.approx([0.02, 0.04, 0.04, 0.06, 0.08, 0.08])


def start(rate, segments, parent=0):
    return MemberStart(rate, parent, segments[-1][0], segments, "checkpoint")


def period(segments, winner=0):
    row = {"epoch": 1.0, "val_dice": 0.5, "learning_rate": 0.1, "more": 7}
    member = MemberPeriod(
        start(segments[-1][1], segments), "finished", "", kept_rows([row])
    )
    return Period([member], winner)


@pytest.fixture
def record():
    return PopulationRecord(
        {"warmup_epochs": 3},
        [period(((0, 0.05),)), period(((0, 0.05), (2, 0.1)))],
        [start(0.2, ((0, 0.05), (2, 0.1), (4, 0.2)))],
        0.5,
    )


def replay(path):
    return OptimizerConfig(lr_schedule=f"replay:{path}")


def test_record_is_read_as_written(tmp_path, record):
    record.save(tmp_path / "autolr.json")
    assert PopulationRecord.load(tmp_path / "autolr.json") == record


def test_only_the_recorded_columns_are_kept(record):
    (row,) = record.periods[0].members[0].rows
    assert set(row) == {
        "epoch",
        "learning_rate",
        "noise_scale",
        "loss",
        "val_dice",
    }
    assert row["loss"] is None


def test_nan_is_recorded_as_null():
    (row,) = kept_rows([{"val_dice": math.nan}])
    assert row["val_dice"] is None


def test_schedule_of_the_last_winner_is_replayed(tmp_path, record):
    record.periods.append(period(((0, 7.0),), winner=None))
    path = tmp_path / "autolr.json"
    record.save(path)
    found = read_replayed(replay(path), RunFolder(tmp_path / "run"), False)
    assert found.schedule() == ([(0, 0.05), (2, 0.1)], 3)


def test_run_keeps_its_own_copy_of_what_it_replays(tmp_path, record):
    folder = RunFolder(tmp_path / "run")
    record.save(folder.replayed_file)
    gone = replay(tmp_path / "gone.json")
    assert read_replayed(gone, folder, True) == record


def test_run_killed_before_it_had_its_copy_reads_the_original(tmp_path, record):
    path = tmp_path / "autolr.json"
    record.save(path)
    found = read_replayed(replay(path), RunFolder(tmp_path / "run"), True)
    assert found == record


def test_other_schedules_are_not_replayed(tmp_path):
    folder = RunFolder(tmp_path)
    assert read_replayed(OptimizerConfig(), folder, False) is None


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"periods": 3}', '{"format": 99}']
)
def test_file_without_record_is_refused(tmp_path, text):
    path = tmp_path / "autolr.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="autolr.json"):
        read_replayed(replay(path), RunFolder(tmp_path / "run"), False)


def test_record_without_winner_is_refused(tmp_path, record):
    record.periods.clear()
    path = tmp_path / "autolr.json"
    record.save(path)
    with pytest.raises(InputError, match="no schedule yet"):
        read_replayed(replay(path), RunFolder(tmp_path / "run"), False)
