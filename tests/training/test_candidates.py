"""The choice among the models of the best estimates."""

import json

import numpy as np
import pytest

from keras_isample.training import candidates
from keras_isample.training.candidates import candidate_epochs
from keras_isample.training.candidates import choose_candidate
from keras_isample.training.history import read_history
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.state import load_progress

ESTIMATES = [None, 0.5, 0.7, None, 0.6, 0.65, 0.4]
"""Of each epoch."""

WHOLE = {3: 0.55, 5: 0.6, 6: 0.58}
"""What the models of the best three give on whole scans."""


class Model:
    """A network whose only weight is the number of its epoch."""

    def __init__(self, epoch=0):
        self.weights = [epoch]

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


class Scans:
    """A `VolumeDice`, killed at a call if that is wanted."""

    def __init__(self, killed_at=None):
        self.killed_at = killed_at
        self.validated = []

    def set_model(self, model):
        self.model = model

    def validate(self, logs):
        if len(self.validated) == self.killed_at:
            raise KeyboardInterrupt
        (epoch,) = self.model.weights
        self.validated.append(epoch)
        logs["val_dice"] = WHOLE[epoch]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run whose last epoch has ended."""
    folder = RunFolder(tmp_path)
    rows = [
        {"epoch": e, **({} if v is None else {"val_dice_estimated": v})}
        for e, v in enumerate(ESTIMATES, start=1)
    ]
    folder.candidate_folder.mkdir(parents=True)
    for epoch in candidate_epochs(rows, 3):
        folder.candidate(epoch).write_text(str(epoch))
    folder.model_file.write_text("3")
    progress = np.array(json.dumps({"epochs": len(rows), "rows": rows}))
    np.savez(folder.state_file, progress=progress, other=np.arange(3))
    monkeypatch.setattr(
        candidates,
        "load_model",
        lambda path, compile: Model(int(path.read_text())),
    )
    return folder


def choose(folder, scans):
    rows = load_progress(folder.state_file)["rows"]
    model = Model(99)
    try:
        choose_candidate(folder, rows, 3, model, scans, ["kidney"])
    finally:
        assert model.weights == [99]
    return rows


def test_candidates_are_the_best_by_estimate_and_by_whole_scans():
    rows = [{"val_dice_estimated": v} for v in (0.5, 0.7, 0.6, 0.65, 0.4)]
    assert candidate_epochs(rows, 3) == [2, 4, 3]
    assert candidate_epochs(rows, 0) == []
    rows[0]["val_dice"] = 0.9
    assert candidate_epochs(rows, 2) == [2, 4, 1]


def test_the_best_on_whole_scans_is_the_model(folder):
    scans = Scans()
    rows = choose(folder, scans)
    assert scans.validated == [3, 6, 5]
    assert folder.model_file.read_text() == "5"
    assert [row.get("val_dice") for row in rows] == [
        WHOLE.get(epoch) for epoch in range(1, 8)
    ]
    history = read_history(folder.history_file)
    assert [row["val_dice"] for row in history] == [
        row.get("val_dice") for row in rows
    ]
    with np.load(folder.state_file) as state:
        assert list(state["other"]) == [0, 1, 2]


@pytest.mark.parametrize("killed_at", range(3))
def test_one_that_was_killed_goes_on_with_what_is_left(folder, killed_at):
    with pytest.raises(KeyboardInterrupt):
        choose(folder, Scans(killed_at))
    # Until then the best estimate is the model.
    assert folder.model_file.read_text() == "3"
    scans = Scans()
    choose(folder, scans)
    assert len(scans.validated) == 3 - killed_at
    assert folder.model_file.read_text() == "5"
    again = Scans()
    choose(folder, again)
    assert again.validated == []
    assert folder.model_file.read_text() == "5"
