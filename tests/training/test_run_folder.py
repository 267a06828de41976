import json
import os

import pytest

from keras_isample.config import Config
from keras_isample.data.cohort import read_cohort
from keras_isample.errors import InputError
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.run_folder import new_manifest

CONFIG = Config.from_settings("/data", {"epochs": 7})


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs/a")


def older_run(folder):
    folder.create(CONFIG, {"seed": 1})
    folder.model_file.write_text("older model")


def test_new_folder_is_a_run(folder):
    folder.create(CONFIG, {"seed": 3})
    assert folder.config() == CONFIG
    assert json.loads(folder.manifest_file.read_text()) == {"seed": 3}
    assert folder.state_file.parent.is_dir()


def test_empty_folder_may_become_a_run(folder):
    folder.path.mkdir(parents=True)
    folder.create(CONFIG, {})
    assert folder.config() == CONFIG


@pytest.mark.parametrize("name", ["model.keras", "notes.txt", "config.toml"])
def test_folder_with_anything_in_it_is_refused(folder, name):
    folder.path.mkdir(parents=True)
    (folder.path / name).write_text("mine")
    with pytest.raises(InputError) as error:
        folder.create(CONFIG, {})
    assert "exists already" in str(error.value)
    assert "`resume=True`" in str(error.value)
    assert os.listdir(folder.path) == [name]


def test_file_is_refused(folder):
    folder.path.parent.mkdir()
    folder.path.write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="exists"):
            folder.create(CONFIG, {}, overwrite=overwrite)
    assert folder.path.read_text() == "mine"


def test_what_a_killed_creation_leaves_is_no_obstacle(folder):
    folder.path.mkdir(parents=True)
    (folder.path / ".0123abcd-config.toml").write_text("half")
    folder.create(CONFIG, {})
    assert sorted(os.listdir(folder.path)) == [
        "checkpoint",
        "config.toml",
        "manifest.json",
    ]


def test_only_runs_are_overwritten(folder):
    folder.path.mkdir(parents=True)
    (folder.path / "thesis.docx").write_text("mine")
    with pytest.raises(InputError, match="is no run"):
        folder.create(CONFIG, {}, overwrite=True)
    assert os.listdir(folder.path) == ["thesis.docx"]


def test_data_beside_a_configuration_are_no_run(folder):
    (folder.path / "images").mkdir(parents=True)
    folder.config_file.write_text(CONFIG.to_toml())
    with pytest.raises(InputError, match="is no run"):
        folder.create(CONFIG, {}, overwrite=True)
    assert sorted(os.listdir(folder.path)) == ["config.toml", "images"]


def test_run_that_was_killed_in_the_beginning_is_overwritten(folder):
    folder.path.mkdir(parents=True)
    folder.config_file.write_text("older")
    folder.create(CONFIG, {"seed": 2}, overwrite=True)
    assert folder.config() == CONFIG


def test_overwritten_run_is_gone_in_the_end(folder):
    older_run(folder)
    folder.create(CONFIG, {"seed": 2}, overwrite=True)
    assert not folder.model_file.exists()
    folder.remove_replaced()
    assert sorted(os.listdir(folder.path)) == [
        "checkpoint",
        "config.toml",
        "manifest.json",
    ]
    assert json.loads(folder.manifest_file.read_text()) == {"seed": 2}


def test_overwritten_run_can_be_brought_back(folder):
    older_run(folder)
    folder.create(CONFIG, {"seed": 2}, overwrite=True)
    folder.undo()
    assert folder.model_file.read_text() == "older model"
    assert json.loads(folder.manifest_file.read_text()) == {"seed": 1}
    assert ".replaced" not in os.listdir(folder.path)


def test_creation_undone_leaves_nothing(folder):
    folder.create(CONFIG, {})
    folder.undo()
    assert not folder.path.exists()


def test_reopening_removes_what_killed_writers_left(folder):
    folder.create(CONFIG, {})
    (folder.path / ".0123abcd-model.keras").touch()
    (folder.path / "checkpoint/.0123abcd-state.npz").touch()
    folder.reopen(CONFIG, {})
    assert os.listdir(folder.path / "checkpoint") == []
    assert len(os.listdir(folder.path)) == 3


def test_reopening_completes_a_killed_creation(folder):
    folder.path.mkdir(parents=True)
    folder.config_file.write_text(CONFIG.to_toml())
    folder.reopen(CONFIG, {"seed": 4})
    assert json.loads(folder.manifest_file.read_text()) == {"seed": 4}
    assert folder.state_file.parent.is_dir()


def test_reopening_keeps_the_manifest(folder):
    folder.create(CONFIG, {"seed": 3})
    folder.reopen(CONFIG, {"seed": 4})
    assert json.loads(folder.manifest_file.read_text()) == {"seed": 3}


def test_reopening_keeps_the_new_number_of_epochs(folder):
    folder.create(CONFIG, {})
    longer = Config.from_settings("/data", {"epochs": 9})
    folder.reopen(longer, {})
    assert folder.config() == longer


def test_manifest_gains_facts(folder):
    folder.create(CONFIG, {"seed": 3})
    folder.update_manifest(best_val_dice=0.5)
    assert json.loads(folder.manifest_file.read_text()) == {
        "seed": 3,
        "best_val_dice": 0.5,
    }


@pytest.mark.parametrize("made", [True, False])
def test_folder_without_configuration_is_no_run(folder, made):
    if made:
        folder.path.mkdir(parents=True)
    with pytest.raises(InputError) as error:
        folder.config()
    assert "holds no run" in str(error.value)


def test_manifest_tells_versions_cases_and_classes(ball_data):
    cohort = read_cohort(ball_data)
    train, validation, test = cohort.split(2, 1, 1)
    parts = {"train": train, "validation": validation, "test": test}
    manifest = new_manifest(parts, 5, ["fit", "--seed", "5"])
    json.dumps(manifest)
    assert set(manifest["versions"]) >= {
        "keras_isample",
        "python",
        "keras",
        "tensorflow",
        "numpy",
    }
    assert manifest["seed"] == 5
    assert manifest["command_line"] == ["fit", "--seed", "5"]
    assert manifest["classes"] == ["background", "ball", "bead"]
    assert {k: len(v) for k, v in manifest["cases"].items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }


def test_fingerprint_of_the_data_is_kept(folder):
    folder.create(CONFIG, {})
    folder.check_data("abc")
    manifest = json.loads(folder.manifest_file.read_text())
    assert manifest["data_fingerprint"] == "abc"
    folder.check_data("abc")


def test_changed_data_are_refused(folder):
    folder.create(CONFIG, {})
    folder.check_data("abc")
    with pytest.raises(InputError, match="data have changed"):
        folder.check_data("abd")


def test_configuration_without_data_is_named(folder):
    folder.create(CONFIG, {})
    folder.config_file.write_text("epochs = 1")
    with pytest.raises(InputError, match="config.toml: names no data set"):
        folder.config()
