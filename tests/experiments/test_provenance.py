"""The commit is the right one, or said to be unknown."""

import re
import shutil
import subprocess

import pytest

from keras_isample.experiments.provenance import CommitRecord
from keras_isample.experiments.provenance import commits_of
from keras_isample.experiments.provenance import git_commit
from keras_isample.training.run_folder import RunFolder

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A repository with one file in `keras_isample`."""
    root = tmp_path / "checkout"
    (root / "keras_isample").mkdir(parents=True)
    (root / "keras_isample" / "a.py").write_text("1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def test_commit_of_a_clean_checkout(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert git_commit(checkout / "keras_isample") == head[:12]


def test_changed_source_is_dirty(checkout):
    (checkout / "keras_isample" / "a.py").write_text("2\n")
    commit = git_commit(checkout / "keras_isample")
    assert re.fullmatch(r"[0-9a-f]{12}-dirty", commit)


def test_new_source_is_dirty(checkout):
    (checkout / "keras_isample" / "b.py").write_text("2\n")
    assert git_commit(checkout / "keras_isample").endswith("-dirty")


def test_results_in_the_checkout_are_not_sources(checkout):
    (checkout / "results").mkdir()
    (checkout / "results" / "table.csv").write_text("1\n")
    assert "dirty" not in git_commit(checkout / "keras_isample")


def test_outside_of_a_checkout_it_is_unknown(tmp_path):
    assert git_commit(tmp_path) == "unknown"


def test_package_installed_inside_another_checkout_is_unknown(checkout):
    installed = checkout / "venv" / "keras_isample"
    installed.mkdir(parents=True)
    (installed / "a.py").write_text("1\n")
    assert git_commit(installed) == "unknown"


def test_run_notes_each_commit_that_trained_it(tmp_path):
    folder = RunFolder(tmp_path)
    folder.manifest_file.write_text("{}")
    assert commits_of(folder) == ["unknown"]
    for commit in ("a", "a", "b-dirty"):
        CommitRecord(folder, commit).on_train_begin()
    assert commits_of(folder) == ["a", "b-dirty"]
