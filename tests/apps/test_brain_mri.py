"""Loss scheduling and fine-tuning, as a program."""

import csv

import pytest

from keras_isample.data.phantom_kinds import write_phantom_of_kind

pytestmark = pytest.mark.slow


def test_every_loss_is_tuned(tmp_path, start_app, finish):
    data = tmp_path / "brains"
    write_phantom_of_kind(data, "brain", cases=8, shape=(32, 32, 32))
    options = ["--automatic", data / "auto", "--manual", data / "manual"]
    options += ["--seeds", 1, "--epochs", 2, "--steps-per-epoch", 1]
    options += ["--fine-tuning-epochs", 1, "--out", tmp_path / "out"]
    said = finish(start_app("brain_mri", *options))
    assert "## Mean test Dice" in said
    assert "## Runs pre-trained on automatic labels" in said
    assert "## Runs fine-tuned on manual labels" in said
    folder = tmp_path / "out" / "auto"
    with open(folder / "dice.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["loss"] for row in rows] == [
        "w-CE, then w-Dice",
        "w-CE + w-Dice, then w-Dice",
        "w-CE",
        "w-CE + w-Dice",
        "w-CE + Dice + boundary",
        "w-Dice",
    ]
    assert {row["runs"] for row in rows} == {"1"}
    for row in rows:
        assert row["pre-trained on automatic labels"]
        assert row["fine-tuned on manual labels"]
    for name in ("pretraining", "fine_tuning", "structures"):
        picture = (folder / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")


def test_size_is_of_the_phantom(tmp_path, start_app):
    options = ["--automatic", tmp_path, "--manual", tmp_path, "--side", 40]
    process = start_app("brain_mri", *options, "--out", tmp_path / "out")
    assert "--side: is of the phantom" in process.communicate()[1]
    assert process.returncode == 1


@pytest.mark.parametrize("given", ["--automatic", "--manual"])
def test_one_data_set_is_not_enough(tmp_path, start_app, given):
    process = start_app("brain_mri", given, tmp_path, "--out", tmp_path / "out")
    assert "--automatic: goes with --manual" in process.communicate()[1]
    assert process.returncode == 1
    assert not (tmp_path / "out").exists()
