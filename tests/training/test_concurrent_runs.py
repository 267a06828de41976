"""Runs whose error maps are made by a process beside them, killed and all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_isample.callbacks.error_map_process import ErrorMapProcess
from keras_isample.training import recorder
from keras_isample.training.history import read_history
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder

pytestmark = pytest.mark.slow

SETTINGS = {"error_maps": "concurrent", "width": 0.1, "epochs": 4}

# Epochs long enough for some maps.
SLOW_RUN = """
import sys
import time
import keras
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder
wait = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: time.sleep(5))
config = RunFolder(sys.argv[1]).config()
fit(config, sys.argv[1], resume=True, callbacks=[wait])
"""


class Killed(BaseException):
    """What the process would not survive."""


@pytest.fixture
def patience(monkeypatch):
    """Has every epoch's end wait for a map, so that short runs have some."""
    original = ErrorMapProcess.finished

    def finished(self):
        with self._changed:
            known = self._agenda._finished
            assert self._changed.wait_for(lambda: known or self._failure, 120)
        return original(self)

    monkeypatch.setattr(ErrorMapProcess, "finished", finished)


@pytest.fixture
def config(ball_config):
    return ball_config(**SETTINGS)


@pytest.fixture
def assert_replayed(tmp_path, config, assert_same_end):
    """Function that checks that a run's log has the same run done again."""

    def check(run):
        again = RunFolder(tmp_path / "again")
        again.concurrent_folder.mkdir(parents=True)
        again.config_file.write_text(config.to_toml())
        text = log_file(run).read_text()
        log_file(again.path).write_text(text)
        fit(config, again.path, resume=True)
        assert log_file(again.path).read_text() == text
        assert_same_end(again.path, run)

    return check


def log_file(run):
    return RunFolder(run).concurrent_folder / "log.jsonl"


def decisions(run):
    return [json.loads(x) for x in log_file(run).read_text().splitlines()[1:]]


def workers(run):
    """Processes that make error maps for a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"keras_isample.callbacks.error_map_worker" in command and any(
            part.startswith(f"{run}/".encode()) for part in command
        ):
            found.append(int(folder.name))
    return found


def wait_until(condition, process=None, limit=180):
    end = time.monotonic() + limit
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_log_has_the_run_done_again(
    tmp_path, config, patience, assert_replayed
):
    run = tmp_path / "run"
    fit(config, run)
    taken = [pair for line in decisions(run) for pair in line["maps"]]
    assert len(taken) >= 4
    rows = read_history(run / "history.csv")
    assert [row["error_maps_new"] for row in rows] == [
        len(line["maps"]) for line in decisions(run)
    ]
    assert rows[-1]["acceptance_rate"] < 1
    assert rows[-1]["mean_error"] < 1
    # Weights after one of the epochs, 3 steps each.
    assert 3 <= rows[-1]["error_map_step"] <= 12
    assert workers(run) == []
    left = os.listdir(RunFolder(run).concurrent_folder)
    assert sorted(left) == ["log.jsonl", "weights", "worker.log"]
    assert_replayed(run)


def test_death_before_the_checkpoint_changes_no_decision(
    tmp_path, config, patience, monkeypatch, assert_replayed
):
    run = tmp_path / "run"
    original, calls = recorder.save_state, []

    def save_state(*args):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        original(*args)

    with monkeypatch.context() as patched:
        patched.setattr(recorder, "save_state", save_state)
        with pytest.raises(Killed):
            fit(config, run)
    assert workers(run) == []
    before = decisions(run)
    assert len(before) == 3 and before[-1]["maps"]
    said = []
    fit(config, run, resume=True, say=said.append)
    assert f"resuming {run} after epoch 2" in said
    assert decisions(run)[:3] == before
    assert len(decisions(run)) == 4
    assert_replayed(run)


def test_worker_that_is_killed_is_replaced(tmp_path, config, patience, caplog):
    from keras.callbacks import LambdaCallback

    run = tmp_path / "run"

    def kill(epoch, logs):
        if epoch in (0, 2):
            (worker,) = workers(run)
            os.kill(worker, signal.SIGKILL)
        else:
            # It is noticed when the next map is to be made; training could
            # end before.
            told = (epoch + 1) // 2
            wait_until(lambda: caplog.text.count("by SIGKILL") == told)

    fit(config, run, callbacks=[LambdaCallback(on_epoch_begin=kill)])
    assert caplog.text.count("was killed by SIGKILL") == 2
    assert all(line["maps"] for line in decisions(run))


def test_driver_that_is_killed_leaves_no_worker_and_is_resumed(
    tmp_path, config, assert_replayed
):
    run = tmp_path / "run"
    folder = RunFolder(run)
    run.mkdir()
    folder.config_file.write_text(config.to_toml())
    command = [sys.executable, "-c", SLOW_RUN, str(run)]
    driver = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(
        lambda: log_file(run).exists() and len(decisions(run)) == 3, driver
    )
    assert len(workers(run)) == 1
    driver.kill()
    driver.communicate()
    wait_until(lambda: not workers(run), limit=30)
    before = decisions(run)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert decisions(run)[:3] == before
    assert any(line["maps"] for line in decisions(run))
    assert workers(run) == []
    assert_replayed(run)


def test_ctrl_c_leaves_no_worker(tmp_path, ball_options):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "keras_isample", "fit", "--run", str(run)]
    options = [*ball_options, "--error-maps", "concurrent", "--width", "0.1"]
    process = subprocess.Popen(
        [*command, *options, "--epochs", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a terminal sends it: to the whole group.
        process_group=0,
    )
    wait_until((run / "history.csv").exists, process)
    assert len(workers(run)) == 1
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "makes error maps" not in err
    assert f"--run {run} --resume" in err
    assert workers(run) == []
