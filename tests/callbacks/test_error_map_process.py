"""The process of error maps, its work done by a stand-in."""

import os
import signal
import sys
import time

import numpy as np
import pytest

from keras_isample.callbacks import error_map_process
from keras_isample.callbacks.error_map_agenda import Agenda
from keras_isample.callbacks.error_map_process import ErrorMapProcess
from keras_isample.callbacks.error_map_process import reason_of_end
from keras_isample.callbacks.published_weights import PublishedWeights
from keras_isample.errors import InputError

# Makes a map of the version's value, in a moment; obeys the files beside it.
STAND_IN = """
import json, os, pathlib, signal, sys
import numpy as np
folder = pathlib.Path(sys.argv[1])
with open(folder / "started", "a") as file:
    print(os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"], file=file)
for line in sys.stdin:
    task = json.loads(line)
    if (folder / "refuse").exists():
        print(json.dumps(["a.npy", "is no place", "Choose"]), flush=True)
        raise SystemExit
    if (folder / "die").exists():
        times = int((folder / "die").read_text())
        (folder / "die").write_text(str(times - 1))
        if times > 1:
            raise SystemExit("no more memory")
        (folder / "die").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    shape = task["case"]["shape"]
    np.save(task["path"], np.full(shape, task["version"], np.uint8))
    print(json.dumps(task["version"]), flush=True)
"""


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "weights").mkdir()
    return PublishedWeights(tmp_path / "weights")


@pytest.fixture
def process(tmp_path, make_case, monkeypatch, weights):
    """Function that starts a process for two cases."""
    monkeypatch.setattr(error_map_process, "_WORKER", ("-c", STAND_IN))
    cases = [
        make_case(np.zeros((3, 4, 5)), num_classes=2, name=f"case{i}")
        for i in range(2)
    ]
    started = []

    def start(gpu=None):
        process = ErrorMapProcess(
            Agenda([0, 1]),
            cases,
            7,
            weights,
            tmp_path,
            gpu=gpu,
            tile_memory=1,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()


def starts(weights):
    """Process and GPU of each start."""
    lines = (weights.folder / "started").read_text().splitlines()
    return [line.split(" ") for line in lines]


def wait_until(condition, limit=30):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_maps_are_made_of_the_newest_weights(process):
    process = process()
    process.publish(3)
    maps = process.wait_for([(0, 3), (1, 3)])
    assert sorted(maps) == [0, 1]
    for error_map in maps.values():
        assert error_map.version == 3
        assert (np.load(error_map.path) == 3).all()


def test_nothing_is_waited_for(process, monkeypatch):
    process = process()
    assert process.finished() == {}
    process.publish(1)

    def wait(*args):
        raise AssertionError("the training waits")

    monkeypatch.setattr(process._changed, "wait", wait)
    process.finished()


def test_older_maps_of_a_case_are_removed(process, tmp_path):
    process = process()
    process.want([(0, 1), (0, 2)])
    process.publish(2)
    (work,) = tmp_path.glob("work-*")
    wait_until(lambda: len(list(work.iterdir())) >= 3)
    # (1, 2) may be half-way.
    assert process.finished()[0].version == 2
    assert "00000-000001.npy" not in os.listdir(work)


def test_process_that_was_killed_is_started_again(process, weights, caplog):
    (weights.folder / "die").write_text("1")
    process = process()
    process.publish(1)
    assert len(process.wait_for([(0, 1), (1, 1)])) == 2
    assert len(starts(weights)) == 2
    assert "was killed by SIGKILL" in caplog.text


def test_process_that_was_killed_while_idle_is_started_again(process, weights):
    process = process()
    process.publish(1)
    process.wait_for([(0, 1), (1, 1)])
    os.kill(int(starts(weights)[0][0]), signal.SIGKILL)
    process.publish(2)
    process.wait_for([(0, 2)])
    assert len(starts(weights)) == 2


def test_deaths_in_a_row_are_an_error(process, weights):
    (weights.folder / "die").write_text("99")
    process = process()
    process.publish(1)
    with pytest.raises(InputError) as error:
        process.wait_for([(0, 1)])
    assert "died 4 times in a row" in str(error.value)
    assert "exit code 1: no more memory" in str(error.value)
    assert len(starts(weights)) == 4
    with pytest.raises(InputError, match="`error_maps`"):
        process.finished()


def test_what_the_process_refuses_is_an_error_at_once(process, weights, caplog):
    (weights.folder / "refuse").touch()
    running = process()
    running.publish(1)
    with pytest.raises(InputError, match="^a.npy: is no place. Choose.$"):
        running.wait_for([(0, 1)])
    assert len(starts(weights)) == 1
    assert not caplog.records


def test_deaths_between_maps_are_none(process, weights):
    process = process()
    for version in range(1, 7):
        (weights.folder / "die").write_text("1")
        process.publish(version)
        process.wait_for([(0, version), (1, version)])
    assert len(starts(weights)) == 7


def test_answer_that_makes_no_sense_is_an_error(process, monkeypatch):
    code = "print('hello', flush=True); input(); input()"
    monkeypatch.setattr(error_map_process, "_WORKER", ("-c", code))
    process = process()
    process.publish(1)
    with pytest.raises(InputError, match="cannot be used"):
        process.wait_for([(0, 1)])
    process.close()
    assert process._process.returncode == -signal.SIGKILL


def test_what_cannot_be_started_is_an_error(process, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(InputError, match="/nowhere/python"):
        process().wait_for([(0, 1)])


def test_nothing_is_left_running(process, weights, tmp_path):
    process = process()
    process.publish(1)
    process.wait_for([(0, 1)])
    pid = int(starts(weights)[0][0])
    assert lives(pid)
    process.close()
    assert not lives(pid)
    assert list(tmp_path.glob("work-*")) == []


def test_ctrl_c_on_the_terminal_does_not_reach_it(process, weights):
    process = process()
    process.publish(1)
    process.wait_for([(0, 1)])
    pid = int(starts(weights)[0][0])
    assert os.getpgid(pid) == pid != os.getpgid(0)
    assert os.getsid(pid) == os.getsid(0)


@pytest.mark.parametrize(("gpu", "visible"), [(None, ""), ("3", "3")])
def test_gpu_is_the_one_that_was_chosen(process, weights, gpu, visible):
    process = process(gpu)
    process.publish(1)
    process.wait_for([(0, 1)])
    assert starts(weights)[0][1] == visible


def test_leftovers_of_killed_runs_are_removed(process, tmp_path):
    (tmp_path / "work-old").mkdir()
    (tmp_path / "work-old" / "00000-000001.npy").write_bytes(b"half")
    process()
    assert not (tmp_path / "work-old").exists()


def test_end_is_told_in_words(tmp_path):
    log = tmp_path / "log"
    log.write_text("Traceback\n  MemoryError: too large \n\n")
    assert reason_of_end(1, log) == (
        "ended with exit code 1: MemoryError: too large"
    )
    assert "memory ran out" in reason_of_end(-9, log)
    assert reason_of_end(-15, log) == "was killed by SIGTERM"
    log.write_text("")
    assert reason_of_end(3, log) == "ended with exit code 3"
