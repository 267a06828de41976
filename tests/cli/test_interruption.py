"""Ctrl-C and SIGTERM, whatever becomes of the exception."""

import os
import signal

import pytest


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("fate", ["kept", "lost", "disguised"])
def test_interruption_is_noticed_whatever_becomes_of_it(
    tmp_path, monkeypatch, ball_options, restored_signals, name, fate, run
):
    from keras_isample.training import run as training_run

    def train(config, path, *, callbacks, **options):
        try:
            os.kill(os.getpid(), getattr(signal, name))
        except KeyboardInterrupt:
            if fate == "kept":
                raise
            if fate == "disguised":
                raise RuntimeError("interrupted") from None
        callbacks[0].on_train_batch_end(0, logs=None)
        raise AssertionError("goes on")

    monkeypatch.setattr(training_run, "fit", train)
    (tmp_path / "config.toml").touch()
    result = run("fit", *ball_options, "--run", tmp_path)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert f"fit --run {tmp_path} --resume" in result.stderr
    assert "error" not in result.stderr


def test_other_errors_are_not_taken_for_interruptions(
    tmp_path, monkeypatch, ball_options, restored_signals, run
):
    from keras_isample.training import run as training_run

    def train(*args, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(training_run, "fit", train)
    result = run("fit", *ball_options, "--run", tmp_path)
    assert isinstance(result.exception, RuntimeError)
