"""Runs are not resumed with fewer epochs than they have had."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.training import resumed_length
from keras_isample.training.resumed_length import refuse_shorter
from keras_isample.training.run_folder import RunFolder


def config(epochs, **settings):
    return Config.from_settings("data", {"epochs": epochs, **settings})


def save(folder, epochs):
    folder.state_file.parent.mkdir(parents=True)
    progress = json.dumps({"epochs": epochs})
    np.savez(folder.state_file, progress=progress)


def test_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    refuse_shorter(config(1), folder)
    save(folder, 3)
    refuse_shorter(config(3), folder)
    with pytest.raises(InputError, match="`epochs`: is 2, and .* has had 3"):
        refuse_shorter(config(2), folder)


@pytest.fixture
def population(tmp_path, monkeypatch):
    """Two periods of 5 epochs are over; the second began from epoch 4."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.autolr_file.touch()
    start = SimpleNamespace(first_epoch=4)
    record = SimpleNamespace(
        periods=[None, None], next=[start] * 3, epochs_done=lambda: 10
    )
    monkeypatch.setattr(
        resumed_length.PopulationRecord, "load", lambda path: record
    )
    # Of a period that is over.
    save(folder.member(1, 0), 99)
    return folder


@pytest.mark.parametrize("under_way", [False, True])
def test_population(population, under_way):
    done = 10
    if under_way:
        save(population.member(2, 0), 5)
        save(population.member(2, 1), 7)
        done = 13
    refuse_shorter(config(done, learning_rate="auto"), population)
    with pytest.raises(InputError, match=f"is {done - 1}, and .* {done}"):
        refuse_shorter(config(done - 1, learning_rate="auto"), population)


def test_population_in_its_first_period(tmp_path):
    folder = RunFolder(tmp_path / "run")
    save(folder.member(0, 0), 2)
    with pytest.raises(InputError, match="is 1, and .* has had 2"):
        refuse_shorter(config(1, learning_rate="auto", period=1), folder)
