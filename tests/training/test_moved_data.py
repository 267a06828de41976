"""A run goes on when its data lie elsewhere, and only then."""

import json
import shutil

import pytest

from keras_isample.errors import InputError
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder


@pytest.fixture
def half_run(tmp_path, ball_config, write_balls):
    """A run of one epoch on data of its own."""
    data = write_balls(tmp_path / "data")
    fit(ball_config(data, epochs=1), tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.slow
def test_moved_data_are_known_by_their_contents(
    tmp_path, half_run, ball_config, ball_run, assert_same_end
):
    (tmp_path / "data").rename(tmp_path / "moved")
    fit(ball_config(tmp_path / "moved"), half_run, resume=True)
    assert RunFolder(half_run).config().data_path == str(tmp_path / "moved")
    assert_same_end(half_run, ball_run.path)


@pytest.mark.parametrize(
    "change, told",
    [
        ("missing", "missing: case_3"),
        ("new", "new: case_4"),
        ("renamed", "missing: case_3; new: case_7"),
    ],
)
def test_other_cases_are_named(tmp_path, half_run, ball_config, change, told):
    data = tmp_path / "data"
    for folder in ("images", "labels"):
        path = data / folder / "case_3.nii.gz"
        if change == "missing":
            path.unlink()
        elif change == "new":
            shutil.copy(path, path.with_name("case_4.nii.gz"))
        else:
            path.rename(path.with_name("case_7.nii.gz"))
    data.rename(tmp_path / "moved")
    with pytest.raises(InputError) as error:
        fit(ball_config(tmp_path / "moved"), half_run, resume=True)
    assert error.value.source == str(tmp_path / "moved")
    assert f"({told})" in error.value.problem
    assert RunFolder(half_run).config().data_path == str(data)


def test_changed_cases_are_named(tmp_path, half_run, ball_config):
    manifest = json.loads((half_run / "manifest.json").read_text())
    name = manifest["cases"]["train"][0]
    other = manifest["cases"]["test"][0]
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "data", moved)
    for folder in ("images", "labels"):
        shutil.copy(
            moved / folder / f"{other}.nii.gz",
            moved / folder / f"{name}.nii.gz",
        )
    with pytest.raises(InputError, match=rf"\(changed: {name}\)"):
        fit(ball_config(moved), half_run, resume=True)
    assert RunFolder(half_run).config().data_path == str(tmp_path / "data")


def test_other_parts_are_named(tmp_path, half_run):
    folder = RunFolder(half_run)
    cases = folder.manifest()["cases"]
    first = cases["train"].pop()
    cases["test"].append(first)
    with pytest.raises(InputError, match=rf"\(now test cases: {first}\)"):
        folder.check_cases(cases, "data")
