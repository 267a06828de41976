"""A run that is stopped anywhere ends as if it had not been."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from keras_isample.processor import computes_bfloat16
from keras_isample.sampling import ErrorMaps
from keras_isample.training import recorder
from keras_isample.training.history import read_history
from keras_isample.training.run import fit

KILLS = int(os.environ.get("KERAS_ISAMPLE_KILLS", "3"))
"""Kills at random moments; more of them with the environment variable."""

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """What the process would not survive."""


@pytest.fixture
def fit_command(ball_options):
    """Function that starts `fit` on a run folder."""

    def start(run, *options):
        command = [sys.executable, "-m", "keras_isample", "fit", "--run", run]
        command += options or ball_options
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def finish(process):
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return out


def wait_for(path, process):
    limit = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("point", ["save_state", "write_history", "update"])
def test_death_between_two_writes_changes_nothing(
    tmp_path, monkeypatch, ball_run, ball_config, assert_same_end, point
):
    config, run = ball_config(), tmp_path / "run"
    with monkeypatch.context() as patched:
        # Two error maps an update: the third is the first of epoch 2.
        _die_at(patched, point, call=3 if point == "update" else 2)
        with pytest.raises(Killed):
            fit(config, run)
    said = []
    fit(config, run, resume=True, say=said.append)
    assert f"resuming {run} after epoch 1" in said
    assert_same_end(run, ball_run.path)


def _die_at(patched, point, call):
    """Before a call of `save_state`, `write_history` or `update`."""
    owner = ErrorMaps if point == "update" else recorder
    original = getattr(owner, point)
    calls = []

    def counted(*args, **options):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*args, **options)

    patched.setattr(owner, point, counted)


def test_half_written_model_is_replaced(
    tmp_path, monkeypatch, ball_run, ball_config, assert_same_end
):
    config, run = ball_config(), tmp_path / "run"
    with monkeypatch.context() as patched:
        # As SIGKILL leaves it: neither moved into place nor removed.
        patched.setattr(recorder, "written_whole", _written_half)
        with pytest.raises(Killed):
            fit(config, run)
    leftovers = [n for n in os.listdir(run) if n.startswith(".")]
    assert leftovers == [".0123abcd-model.keras"]
    fit(config, run, resume=True)
    assert_same_end(run, ball_run.path)
    assert not [n for n in os.listdir(run) if n.startswith(".")]


def _written_half(path):
    path.with_name(f".0123abcd-{path.name}").write_bytes(b"half")
    raise Killed


def test_longer_run_is_the_same_as_one_from_the_start(
    tmp_path, ball_run, ball_config, assert_same_end
):
    run = tmp_path / "run"
    fit(ball_config(epochs=1), run)
    fit(ball_config(epochs=3), run, resume=True)
    assert_same_end(run, ball_run.path)
    assert "epochs = 3" in (run / "config.toml").read_text()


def test_averages_of_the_weights_are_resumed(
    tmp_path, ball_config, assert_same_end
):
    average, run = {"ema_momentum": 0.6}, tmp_path / "run"
    fit(ball_config(**average), tmp_path / "whole")
    fit(ball_config(**average, epochs=1), run)
    fit(ball_config(**average), run, resume=True)
    assert_same_end(run, tmp_path / "whole")


@pytest.mark.parametrize("point", ["save_state", "update"])
def test_error_maps_by_blocks_are_resumed(
    tmp_path, monkeypatch, ball_config, assert_same_end, point
):
    # The budget of an epoch is not spent to the end.
    config = ball_config(error_map_share=0.4, split="3,1,0", epochs=5)
    fit(config, tmp_path / "whole")
    with monkeypatch.context() as patched:
        _die_at(patched, point, call=3)
        with pytest.raises(Killed):
            fit(config, tmp_path / "run")
    fit(config, tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("sample_from", ["all", "refreshed"])
def test_subsets_of_error_maps_are_resumed(
    tmp_path, monkeypatch, ball_config, assert_same_end, sample_from
):
    config = ball_config(
        error_map_cases="1", sample_from=sample_from, split="3,1,0", epochs=4
    )
    fit(config, tmp_path / "whole")
    with monkeypatch.context() as patched:
        _die_at(patched, "save_state", call=3)
        with pytest.raises(Killed):
            fit(config, tmp_path / "run")
    fit(config, tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("mixed_precision", ["none", "bfloat16"])
def test_sizes_of_the_demo_repeat_bit_for_bit(
    tmp_path, monkeypatch, ball_config, assert_same_end, mixed_precision
):
    if mixed_precision == "bfloat16" and not computes_bfloat16():
        pytest.skip("this processor does not compute bfloat16")
    # Larger maps are divided among threads; the narrow ones above are not.
    config = ball_config(
        width=0.6,
        patch_size=16,
        batch_size=8,
        steps_per_epoch=8,
        epochs=2,
        mixed_precision=mixed_precision,
    )
    fit(config, tmp_path / "whole")
    with monkeypatch.context() as patched:
        _die_at(patched, "save_state", call=2)
        with pytest.raises(Killed):
            fit(config, tmp_path / "run")
    fit(config, tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", tmp_path / "whole")


def test_sigterm_stops_and_tells_how_to_go_on(
    tmp_path, ball_run, fit_command, assert_same_end
):
    run = tmp_path / "a run"
    process = fit_command(run)
    wait_for(run / "history.csv", process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert f"--run '{run}' --resume" in err
    assert out == ""
    finish(fit_command(run, "--resume"))
    assert_same_end(run, ball_run.path)


def test_ctrl_c_before_the_first_epoch_leaves_a_resumable_run(
    tmp_path, fit_command
):
    run = tmp_path / "run"
    process = fit_command(run)
    wait_for(run / "config.toml", process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert f"--run {run} --resume" in err
    assert not (run / "history.csv").exists()
    out = finish(fit_command(run, "--resume"))
    assert out.splitlines()[-1].startswith(f"{run} best validation Dice 0.")
    assert len(read_history(run / "history.csv")) == 3


@pytest.fixture(scope="module")
def duration(tmp_path_factory, ball_options):
    """Seconds from the first file of a run to its last."""
    run = tmp_path_factory.mktemp("timed") / "run"
    command = [sys.executable, "-m", "keras_isample", "fit", "--run", run]
    process = subprocess.Popen(
        command + ball_options,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(run / "config.toml", process)
    started = time.monotonic()
    assert process.wait(900) == 0
    return time.monotonic() - started


@pytest.fixture(scope="module")
def block_run(tmp_path_factory, ball_config):
    """A run of error maps by blocks that nothing has interrupted."""
    path = tmp_path_factory.mktemp("blocks") / "run"
    return fit(ball_config(error_map_share=0.4), path)


@pytest.mark.parametrize("trial", range(KILLS))
def test_killed_run_ends_as_the_uninterrupted_one(
    tmp_path,
    ball_run,
    block_run,
    ball_options,
    fit_command,
    assert_same_end,
    duration,
    trial,
):
    run = tmp_path / "run"
    moment = random.Random(trial).uniform(0, duration)
    options = list(ball_options)
    if trial % 2:
        # Whole error maps, or blocks of them.
        options[options.index("--error-map-share") + 1] = "0.4"
        ball_run = block_run
    process = fit_command(run, *options)
    wait_for(run / "config.toml", process)
    time.sleep(moment)
    process.kill()
    process.communicate()
    finish(fit_command(run, "--resume"))
    assert_same_end(run, ball_run.path)
    assert not [p for p in run.rglob(".*") if p.is_file()]
