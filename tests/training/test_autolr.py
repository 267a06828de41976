"""The engine of the population, with members that only pretend to train."""

import json
import math

import numpy as np
import pytest

from keras_isample.callbacks.validation_plan import ValidationPlan
from keras_isample.errors import InputError
from keras_isample.training import autolr
from keras_isample.training import population
from keras_isample.training import run
from keras_isample.training.autolr import AutoLR
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.error_map_plan import ErrorMapPlan
from keras_isample.training.member import Outcome
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.state import load_progress
from keras_isample.volumes.lock import Busy
from keras_isample.volumes.lock import held


class Actors:
    """An executor whose members score what a function of the task says.

    `outcomes` has lists of `Outcome`s by (period, member), used up in turn.
    """

    def __init__(self, score, outcomes=()):
        self.score = score
        self.outcomes = dict(outcomes)
        self.tasks = []
        self.running = []

    def __call__(self, settings, run, members):
        self.members = members
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def has_room(self):
        return len(self.running) < 2

    def start(self, task):
        self.tasks.append(task)
        self.running.append(task)

    def poll(self, seconds):
        task = self.running.pop()
        planned = self.outcomes.get((task.period, task.member), [])
        outcome = planned.pop(0) if planned else Outcome("finished")
        if outcome.kind == "finished":
            self.train(task)
        return [(task, outcome)]

    def train(self, task):
        folder = RunFolder(task.folder)
        origin = RunFolder(task.origin).state_file
        rows = load_progress(origin)["rows"] if origin.exists() else []
        assert len(rows) == task.first_epoch
        while len(rows) < task.epochs:
            rows.append(
                {
                    "epoch": len(rows) + 1.0,
                    "learning_rate": task.segments[-1][1],
                    "noise_scale": task.segments[-1][1] / 2,
                    "loss": 1.0,
                    "val_dice": self.score(task, len(rows) + 1),
                }
            )
            if task.keep_best and len(rows) == task.first_epoch + 1:
                self.save(folder.best, rows)
        self.save(folder, rows)
        folder.history_file.write_text("epoch")
        folder.model_file.write_text(f"model of {task.member}")

    def save(self, folder, rows):
        folder.state_file.parent.mkdir(parents=True, exist_ok=True)
        progress = json.dumps({"epochs": len(rows), "rows": rows})
        np.savez(folder.state_file, progress=np.array(progress))


def highest_rate_wins(task, epoch):
    return task.segments[-1][1]


@pytest.fixture
def find(tmp_path, ball_config, monkeypatch):
    """Function that runs a population of actors."""

    def run(actors, folder="run", *, operator=None, said=None, **settings):
        monkeypatch.setattr(autolr, "make_executor", actors)
        options = {"learning_rate": "auto", "period": 2, "epochs": 6}
        config = ball_config(**{**options, **settings})
        path = tmp_path / folder
        resume = (path / "config.toml").exists()
        say = [].append if said is None else said.append
        AutoLR(config, operator).fit(path, resume=resume, say=say)
        return PopulationRecord.load(path / "autolr.json")

    return run


def rates(record):
    return [[m.start.rate for m in p.members] for p in record.periods]


def test_rates_of_the_worked_example(find):
    record = find(Actors(highest_rate_wins), epochs=4)
    assert rates(record) == [[0.05, 0.01, 0.005], [0.1, 0.05, 0.025]]
    assert [period.winner for period in record.periods] == [0, 0]


def test_best_score_of_the_period_wins_not_the_last(find):
    def score(task, epoch):
        return {0: [0.5, 0.6], 1: [0.9, 0.1], 2: [0.3, 0.7]}[task.member][
            (epoch - 1) % 2
        ]

    record = find(Actors(score), epochs=4)
    assert record.periods[0].winner == 1
    assert rates(record)[1] == [0.02, 0.01, 0.005]


def test_of_equal_members_the_first_wins(find):
    record = find(Actors(lambda task, epoch: 0.5))
    assert [period.winner for period in record.periods] == [0, 0, 0]


def test_members_start_from_the_winner_with_their_own_rates(find):
    actors = Actors(highest_rate_wins)
    find(actors, epochs=4)
    later = sorted(actors.tasks, key=lambda t: (t.period, t.member))[3:]
    assert {task.origin for task in later} == {later[0].origin}
    assert later[0].origin.endswith("period-000/member-0")
    assert [task.segments for task in later] == [
        ((0, 0.05), (2, 0.1)),
        ((0, 0.05), (2, 0.05)),
        ((0, 0.05), (2, 0.025)),
    ]
    assert [(t.first_epoch, t.epochs) for t in later] == [(2, 4)] * 3


def test_members_may_start_from_the_best_epoch(find):
    actors = Actors(highest_rate_wins)
    record = find(actors, epochs=4, spawn_from="best")
    later = [task for task in actors.tasks if task.period == 1]
    assert all(task.origin.endswith("member-0/best") for task in later)
    assert [(t.first_epoch, t.epochs) for t in later] == [(1, 3)] * 3
    assert record.schedule()[0] == [(0, 0.05), (1, 0.1)]
    assert record.epochs_done() == 4


def test_last_period_is_cut_to_the_number_of_epochs(find):
    record = find(Actors(highest_rate_wins), epochs=5)
    assert [len(p.members[0].rows) for p in record.periods] == [2, 2, 1]


def test_history_is_that_of_the_winners(find, tmp_path):
    actors = Actors(lambda task, epoch: 0.1 * task.member + 0.01 * epoch)
    find(actors, epochs=4)
    text = (tmp_path / "run" / "history.csv").read_text().splitlines()
    column = text[0].split(",").index("learning_rate")
    found = [float(line.split(",")[column]) for line in text[1:]]
    assert found == [0.005, 0.005, 0.0025, 0.0025]


def test_model_is_the_best_of_all_members_and_periods(find, tmp_path):
    def score(task, epoch):
        return 0.9 if (task.period, task.member) == (0, 1) else 0.2

    record = find(Actors(score))
    assert (tmp_path / "run" / "model.keras").read_text() == "model of 1"
    assert record.best_dice == 0.9


def test_diverged_member_loses(find):
    gone = {(0, 0): [Outcome("diverged", "the loss became NaN")]}
    record = find(Actors(highest_rate_wins, gone), epochs=4)
    first = record.periods[0]
    assert first.winner == 1
    assert first.members[0].outcome == "diverged"
    assert first.members[0].reason == "the loss became NaN"
    assert rates(record)[1] == [0.02, 0.01, 0.005]


def test_member_that_dies_is_started_again(find, caplog):
    died = Outcome("died", "killed by SIGKILL")
    actors = Actors(highest_rate_wins, {(0, 0): [died, died]})
    record = find(actors, epochs=2, max_restarts=2)
    assert record.periods[0].members[0].outcome == "finished"
    assert len([t for t in actors.tasks if t.member == 0]) == 3
    assert "killed by SIGKILL" in caplog.text
    assert "member 1 of period 1" in caplog.text


def test_member_that_keeps_dying_is_left_out(find, caplog):
    died = Outcome("died", "out of memory")
    actors = Actors(highest_rate_wins, {(0, 0): [died] * 3})
    record = find(actors, epochs=4, max_restarts=2)
    assert record.periods[0].members[0].outcome == "left out"
    assert record.periods[0].winner == 1
    assert record.periods[1].members[0].outcome == "finished"
    assert "left out" in caplog.text and "out of memory" in caplog.text


def test_bad_input_of_a_member_is_not_tried_again(find, tmp_path):
    refused = Outcome("refused", "scan.nii.gz: is gone. Restore it.")
    actors = Actors(highest_rate_wins, {(0, 1): [refused]})
    with pytest.raises(InputError, match=r"scan.nii.gz: is gone") as error:
        find(actors)
    assert "start again" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_population_that_diverged_goes_on_with_smaller_rates(find):
    nan = Outcome("diverged", "NaN")
    gone = {(1, member): [nan] for member in range(3)}
    actors, said = Actors(highest_rate_wins, gone), []
    record = find(actors, said=said)
    assert [p.winner for p in record.periods] == [0, None, 0, 0]
    again = [task for task in actors.tasks if task.period == 2]
    assert again[0].origin.endswith("period-000/member-0")
    assert rates(record)[2] == pytest.approx([0.01, 0.005, 0.0025])
    assert sorted(task.segments for task in again)[-1] == (
        (0, 0.05),
        (2, pytest.approx(0.01)),
    )
    assert record.epochs_done() == 6
    assert any("smaller" in line or "times 0.1" in line for line in said)


def test_two_diverged_periods_end_the_run(find):
    nan = Outcome("diverged", "the loss became NaN")
    gone = {(p, member): [nan] for p in (0, 1) for member in range(3)}
    with pytest.raises(InputError, match="smaller `population`") as error:
        find(Actors(highest_rate_wins, gone))
    assert "the loss became NaN" in str(error.value)


def test_population_that_died_does_not_try_other_rates(find):
    died = Outcome("died", "no such library")
    gone = {(0, member): [died] for member in range(3)}
    with pytest.raises(InputError, match="no such library") as error:
        find(Actors(highest_rate_wins, gone), max_restarts=0)
    assert "start again" in str(error.value)


def test_population_that_dies_later_is_resumed(find, tmp_path):
    died = Outcome("died", "no space left")
    gone = {(1, member): [died] for member in range(3)}
    with pytest.raises(InputError, match="`resume=True`"):
        find(Actors(highest_rate_wins, gone), max_restarts=0)
    record = find(Actors(highest_rate_wins), max_restarts=0)
    assert len(record.periods) == 3


def test_overwritten_run_comes_back_if_nothing_begins(
    find, tmp_path, ball_config
):
    record = find(Actors(highest_rate_wins))
    config = ball_config(learning_rate="auto", split="3,0,1")
    with pytest.raises(InputError, match="`split`"):
        AutoLR(config).fit(tmp_path / "run", overwrite=True)
    found = PopulationRecord.load(tmp_path / "run" / "autolr.json")
    assert found == record


@pytest.mark.parametrize("begun", [False, True])
def test_population_of_another_process_is_refused(
    find, tmp_path, monkeypatch, begun
):
    monkeypatch.setattr(run, "_PATIENCE", 0)
    folder = tmp_path / "run"
    if begun:
        find(Actors(highest_rate_wins))
    folder.mkdir(exist_ok=True)
    before = sorted(folder.iterdir())
    actors = Actors(highest_rate_wins)
    with held(folder / run._LOCK):
        with pytest.raises(Busy):
            find(actors, epochs=8)
    assert not actors.tasks
    assert before == (sorted(folder.iterdir()) if begun else [])


def test_scores_that_nobody_has_are_told(find):
    with pytest.raises(InputError, match="no validation scan"):
        find(Actors(lambda task, epoch: math.nan))


def test_what_whole_scans_cost_is_told_once(find, monkeypatch):
    """As soon as a member has counted it."""
    plans = iter([None, None, ErrorMapPlan("whole", 1, 10, 20, 2, every=1)])
    monkeypatch.setattr(population, "planned_error_maps", lambda _: next(plans))
    monkeypatch.setattr(
        population, "planned_validation", lambda _: ValidationPlan.fixed(1, 30)
    )
    said = []
    find(Actors(highest_rate_wins), said=said)
    costs = [text for text in said if "of what training multiplies" in text]
    assert [text.split(":")[0] for text in costs] == [
        "error maps",
        "validation",
    ]
    assert "(`learning_rate='auto'`), 300.0%" in costs[1]


def test_single_period_is_told(find):
    said = []
    find(Actors(highest_rate_wins), epochs=2, said=said)
    assert any("single period" in line for line in said)


class Killed(BaseException):
    """What the driver would not survive."""


@pytest.mark.parametrize("point", ["draw_population", "written_whole"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_killed_driver_changes_nothing(
    find, tmp_path, monkeypatch, point, call
):
    find(Actors(highest_rate_wins), "whole")
    with monkeypatch.context() as patched:
        original, calls = getattr(population, point), []

        def counted(*args):
            calls.append(1)
            if len(calls) == call:
                raise Killed
            return original(*args)

        patched.setattr(population, point, counted)
        with pytest.raises(Killed):
            find(Actors(highest_rate_wins))
    find(Actors(highest_rate_wins))
    listings = [
        sorted(p.relative_to(tmp_path / run) for p in paths)
        for run in ("whole", "run")
        for paths in [(tmp_path / run).rglob("*")]
    ]
    assert listings[0] == listings[1]
    names = ["autolr.json", "history.csv", "model.keras", "figures/autolr.png"]
    for name in names:
        files = [tmp_path / run / name for run in ("whole", "run")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_finished_members_are_not_trained_again(find, monkeypatch):
    class Dies(Actors):
        def poll(self, seconds):
            if len(self.tasks) == 3:
                raise Killed
            return super().poll(seconds)

    with pytest.raises(Killed):
        find(Dies(highest_rate_wins))
    actors = Actors(highest_rate_wins)
    find(actors)
    done = {task.member for task in actors.tasks if task.period == 0}
    assert len(done) == 2


def test_finished_population_can_be_trained_longer(find):
    find(Actors(highest_rate_wins), "whole", epochs=6)
    find(Actors(highest_rate_wins), epochs=4)
    record = find(Actors(highest_rate_wins), epochs=6)
    assert rates(record)[-1] == [0.2, 0.1, 0.05]


def test_states_that_nobody_needs_are_removed(find, tmp_path):
    find(Actors(highest_rate_wins))
    members = tmp_path / "run" / "checkpoint" / "members"
    assert [p.name for p in members.iterdir()] == ["period-002"]
    assert [p.name for p in (members / "period-002").iterdir()] == ["member-0"]


def test_custom_operator_is_used(find):
    class Coin:
        def fitness(self, scores):
            return max(scores, default=-math.inf)

        def select(self, fitness):
            return [len(fitness) - 2, len(fitness) - 1]

        def vary(self, rates, parents, rng):
            return [rates[parent] + 1 for parent in parents]

    record = find(Actors(highest_rate_wins), operator=Coin(), epochs=4)
    assert rates(record)[1] == [1.01, 1.005]
    assert record.periods[1].members[1].start.parent == 2


def test_truncation_keeps_who_is_not_the_worst(find):
    record = find(Actors(highest_rate_wins), selection="truncation", epochs=4)
    first, second = rates(record)
    assert second[:2] == first[:2]
    assert second[2] in (0.05 * 0.8, 0.05 * 1.2)
    assert [m.start.parent for m in record.periods[1].members] == [0, 1, 0]


def test_rate_that_is_a_number_is_refused(ball_config):
    with pytest.raises(InputError, match="`learning_rate`"):
        AutoLR(ball_config())


def test_population_without_validation_is_refused(
    tmp_path, ball_config, monkeypatch
):
    config = ball_config(learning_rate="auto", split="3,0,1")
    with pytest.raises(InputError, match="`split`"):
        AutoLR(config).fit(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_validation_once_in_a_period_is_needed(ball_config):
    with pytest.raises(InputError, match="`validate_every`"):
        ball_config(learning_rate="auto", period=2, validate_every=3)


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("save_error_maps", True, "`save_error_maps`"),
        ("error_maps", "concurrent", "`error_maps`"),
        ("ray_address", "here:6379", "`ray_address`"),
    ],
)
def test_settings_without_meaning_are_refused(ball_config, name, value, option):
    settings = {"learning_rate": "auto", "executor": "serial", name: value}
    with pytest.raises(InputError, match=option):
        ball_config(**settings)
