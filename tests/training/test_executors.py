"""Real members in real processes, killed and all."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from keras_isample.config import AutoLRConfig
from keras_isample.errors import InputError
from keras_isample.training.autolr import AutoLR
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.executors import make_executor
from keras_isample.training.gpus import visible_gpus
from keras_isample.training.member import READY
from keras_isample.training.member import MemberTask
from keras_isample.training.member import Outcome
from keras_isample.training.process_executor import ProcessExecutor
from keras_isample.training.run import opened_run

KILLS = int(os.environ.get("KERAS_ISAMPLE_KILLS", "2"))
"""Kills of the driver; more of them with the environment variable."""

SETTINGS = {
    "learning_rate": "auto",
    "period": 2,
    "epochs": 6,
    "threads_per_member": 1,
    # Blocks of error maps.
    "error_map_share": 0.4,
}


@pytest.fixture
def gpus(monkeypatch):
    def choose(names):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)

    choose("")
    return choose


def workers(**settings):
    executor = make_executor(AutoLRConfig(**settings), "run", members=3)
    return [
        worker._environment["CUDA_VISIBLE_DEVICES"]
        for worker in executor._workers
    ]


def test_one_worker_takes_all_gpus_in_turn(gpus):
    gpus("0,1")
    assert workers(executor="serial") == ["0,1"]


@pytest.mark.parametrize(
    ("visible", "settings", "groups"),
    [
        ("0,1,2", {}, ["0", "1", "2"]),
        ("0,1,2,3,4,5,6,7", {}, ["0,1", "2,3", "4,5"]),
        ("0,1", {}, ["0", "1"]),
        ("4,7", {"gpus_per_member": 2}, ["4,7"]),
        ("0", {}, ["0"]),
        ("0,1", {"executor": "process", "gpus_per_member": 1}, ["0", "1"]),
        ("3,4,5", {"executor": "serial", "gpus_per_member": 2}, ["3,4"]),
    ],
)
def test_gpus_are_divided_among_the_members(gpus, visible, settings, groups):
    gpus(visible)
    assert workers(**settings) == groups


@pytest.mark.parametrize("visible", ["0,1", ""])
@pytest.mark.parametrize("executor", ["process", "serial"])
def test_more_gpus_than_there_are_is_refused(gpus, visible, executor):
    gpus(visible)
    with pytest.raises(InputError, match="`gpus_per_member`"):
        workers(executor=executor, gpus_per_member=3)


def test_without_gpus_processes_share_the_threads(gpus, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(7))
    executor = make_executor(AutoLRConfig(executor="process"), "run", 3)
    commands = [worker._command for worker in executor._workers]
    assert [command[-1] for command in commands] == ["2"] * 3


def test_gpus_are_counted_by_their_driver(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert visible_gpus() == ["0", "1"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert visible_gpus() == []


def test_missing_ray_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"keras-isample\[ray\]"):
        make_executor(AutoLRConfig(executor="ray"), "run", 3)


@pytest.fixture
def task(tmp_path):
    return MemberTask(0, 1, "origin", str(tmp_path), 0, 2, ((0, 0.1), (1, 0.2)))


def test_task_survives_json(task):
    text = json.dumps(task.to_json())
    assert MemberTask.from_json(json.loads(text)) == task


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Function that makes an executor whose workers run some code."""

    def make(code, workers=1):
        executor = ProcessExecutor(tmp_path, [None] * workers)
        for worker in executor._workers:
            worker._command = [sys.executable, "-c", code]
        return executor

    return make


def ends(executor, task):
    executor.start(task)
    limit = time.monotonic() + 600
    while time.monotonic() < limit:
        ended = executor.poll(1.0)
        if ended:
            return ended
    raise TimeoutError


def test_answers_that_come_at_once_are_told_apart(program, task):
    ready = json.dumps(READY)
    done = json.dumps({"kind": "finished", "reason": ""})
    code = f"print({ready!r}); print({done!r}, flush=True); input(); input()"
    with program(code) as executor:
        assert ends(executor, task) == [(task, Outcome("finished"))]
        assert executor.has_room()


def test_worker_that_is_killed_has_died(program, task):
    with program("import os; os.kill(os.getpid(), 9)") as executor:
        ((_, outcome),) = ends(executor, task)
        assert outcome.kind == "died"
        assert "SIGKILL" in outcome.reason and "memory" in outcome.reason
        # And the next one is started.
        assert ends(executor, task)[0][1].kind == "died"


def test_last_words_of_a_worker_are_told(program, task):
    with program("raise SystemExit('no such library')") as executor:
        ((_, outcome),) = ends(executor, task)
    assert outcome == Outcome("died", "ended with exit code 1: no such library")


def test_nothing_is_left_running(program, task):
    with program("import time; time.sleep(600)") as executor:
        executor.start(task)
        process = executor._workers[0]._process
        assert executor.poll(0.01) == []
    assert process.poll() == -signal.SIGKILL


@pytest.mark.slow
def test_worker_ends_with_its_driver(tmp_path, ball_config):
    config = ball_config(**SETTINGS)
    with opened_run(config, tmp_path / "run") as (folder, _):
        pass
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m',"
        " 'keras_isample.training.worker', sys.argv[1], '1'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "print(p.pid, p.stdout.readline(), flush=True)\n"
        "time.sleep(600)\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    worker, _, ready = driver.stdout.readline().partition(" ")
    assert json.loads(ready) == READY
    time.sleep(2)
    assert _runs(int(worker))
    driver.kill()
    driver.wait()
    driver.stdout.close()
    wait_until(lambda: not _runs(int(worker)), 20)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(") ")[1][0] != "Z"
    except OSError:
        return False


def wait_until(condition, limit=120):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def population(tmp_path_factory, ball_config):
    """A population that nothing has interrupted, members in turn."""
    run = tmp_path_factory.mktemp("population") / "serial"
    AutoLR(ball_config(executor="serial", **SETTINGS)).fit(run)
    return run


@pytest.fixture
def assert_same_population(population):
    """Function that checks that a run ended as `population` did."""

    def check(run):
        for name in ("autolr.json", "figures/autolr.png"):
            assert (run / name).read_bytes() == (population / name).read_bytes()
        histories = [
            [line.split(",")[:9] for line in path.read_text().splitlines()]
            for path in (run / "history.csv", population / "history.csv")
        ]
        assert histories[0] == histories[1]

    return check


@pytest.mark.slow
def test_rates_are_those_of_the_worked_example(population):
    record = json.loads((population / "autolr.json").read_text())
    first, second = record["periods"][:2]
    rate = first["members"][first["winner"]]["start"]["rate"]
    found = [member["start"]["rate"] for member in second["members"]]
    assert found == [rate * 2, rate, rate * 0.5]
    assert len(record["periods"]) == 3


@pytest.mark.slow
def test_found_schedule_is_replayed_bit_for_bit(
    tmp_path, ball_config, population
):
    run = tmp_path / "replay"
    code = (
        "import sys, tensorflow as tf\n"
        "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
        "tf.config.threading.set_inter_op_parallelism_threads(1)\n"
        "from keras_isample.training import fit\n"
        "from keras_isample.training.run_folder import RunFolder\n"
        "from keras_isample.config import Config\n"
        "old = RunFolder(sys.argv[1]).config()\n"
        "settings = old.settings() | {'learning_rate': 1.0,\n"
        "    'lr_schedule': f'replay:{sys.argv[1]}/autolr.json'}\n"
        "fit(Config.from_settings(old.data_path, settings), sys.argv[2])\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(population), str(run)], check=True
    )
    found = [
        [line.split(",")[:9] for line in path.read_text().splitlines()]
        for path in (run / "history.csv", population / "history.csv")
    ]
    assert found[0] == found[1]


@pytest.mark.slow
def test_processes_find_the_same(tmp_path, ball_config, assert_same_population):
    run = tmp_path / "process"
    AutoLR(ball_config(executor="process", **SETTINGS)).fit(run)
    assert_same_population(run)


@pytest.mark.slow
def test_other_ways_to_choose_end_well(tmp_path, ball_config):
    settings = {**SETTINGS, "epochs": 4, "spawn_from": "best"}
    config = ball_config(executor="serial", selection="truncation", **settings)
    run = tmp_path / "run"
    AutoLR(config).fit(run)
    record = PopulationRecord.load(run / "autolr.json")
    assert record.epochs_done() == 4
    starts = [member.start for member in record.periods[1].members]
    assert [start.parent for start in starts][:2] != [None, None]
    assert all(start.origin.endswith("best") for start in starts)
    assert all(start.first_epoch in (1, 2) for start in starts)
    assert all(len(m.rows) == 2 for m in record.periods[1].members)


@pytest.mark.slow
def test_interrupted_population_says_how_to_go_on(tmp_path, ball_options):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "keras_isample", "fit", "--run", str(run)]
    options = [*ball_options, "--learning-rate", "auto", "--period", "1"]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: any(run.glob("checkpoint/members/*/*/history.csv")))
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"fit --run {run} --resume" in said


class _Killer:
    """Kills a member once, after its first epoch of the second period."""

    def __init__(self, run, member):
        place = "checkpoint/members/period-001/member-{}/lock"
        self.member = member
        self.lock = run / place.format(member)
        self.killed = None

    def __call__(self, members):
        rows = members[self.member]
        if self.killed is None and [row["epoch"] for row in rows] == [3]:
            # Nothing is in it for a moment.
            with contextlib.suppress(FileNotFoundError, IndexError):
                self.killed = int(self.lock.read_text().split()[0])
                os.kill(self.killed, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "process"])
def test_killed_member_changes_nothing(
    tmp_path, ball_config, assert_same_population, executor, monkeypatch
):
    monkeypatch.setattr("keras_isample.training.population._POLL", 0.02)
    run = tmp_path / "run"
    killer = _Killer(run, 1)
    config = ball_config(executor=executor, **SETTINGS)
    AutoLR(config).fit(run, on_progress=killer)
    assert killer.killed is not None
    assert_same_population(run)


@pytest.mark.slow
def test_driver_killed_anywhere_is_resumed(
    tmp_path, ball_options, assert_same_population
):
    rng = random.Random(0)
    run = tmp_path / "run"
    command = [sys.executable, "-m", "keras_isample", "fit", "--run", str(run)]
    options = [*ball_options, "--executor", "process"]
    for name, value in SETTINGS.items():
        options += [f"--{name.replace('_', '-')}", str(value)]
    for number in range(KILLS):
        before = _epochs_done(run)
        process = subprocess.Popen(
            command + options, stderr=subprocess.DEVNULL, text=True
        )
        wait_until((run / "config.toml").exists)
        if number % 2:
            # While it starts; otherwise amid training.
            time.sleep(rng.uniform(0.5, 6))
        else:
            wait_until(lambda done=before: _epochs_done(run) != done)
            time.sleep(rng.uniform(0, 1))
        assert process.poll() is None
        process.kill()
        process.wait()
        options = ["--resume"]
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert_same_population(run)


def _epochs_done(run):
    """Which member's history has how many lines."""
    found = []
    for path in sorted(run.glob("checkpoint/members/*/*/history.csv")):
        # That of an older period may go at any time.
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.read_bytes().count(b"\n")))
    return found


@pytest.fixture
def cluster():
    """Function that starts a Ray cluster of two nodes on this machine."""
    ray = pytest.importorskip("ray")
    utility = pytest.importorskip("ray.cluster_utils")
    nodes = utility.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.mark.slow
def test_cluster_of_two_nodes_finds_the_same(
    tmp_path, ball_config, assert_same_population, cluster
):
    run = tmp_path / "ray"
    killer = _Killer(run, 2)
    config = ball_config(
        executor="ray", ray_address=cluster.address, **SETTINGS
    )
    AutoLR(config).fit(run, on_progress=killer)
    assert killer.killed is not None
    assert_same_population(run)


def test_cluster_that_does_not_answer_is_told():
    pytest.importorskip("ray")
    settings = AutoLRConfig(executor="ray", ray_address="127.0.0.1:1")
    with pytest.raises(InputError, match="ray start --head"):
        make_executor(settings, "run", 3)
