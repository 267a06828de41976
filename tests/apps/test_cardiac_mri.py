"""The cardiac study, as a program."""

import csv

import pytest

pytestmark = pytest.mark.slow

SHORT = ["--seeds", 1, "--epochs", 1, "--steps-per-epoch", 1]


def test_a_group_on_the_phantom(tmp_path, start_app, finish):
    options = ["--groups", "augmentation", "--out", tmp_path, *SHORT]
    said = finish(start_app("cardiac_mri", *options))
    assert "## Augmentation: test Dice" in said
    folder = tmp_path / "phantom"
    with open(folder / "augmentation.csv", newline="") as file:
        names, *rows = csv.reader(file)
    assert {"augmentation", "no augmentation"} < set(names)
    assert [row[0] for row in rows] == [
        "left_ventricle",
        "myocardium",
        "right_ventricle",
        "mean",
    ]
    for name in ("augmentation", "augmentation_curves", "class_shares"):
        picture = (folder / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")


def test_unknown_group_is_refused(tmp_path, start_app):
    process = start_app("cardiac_mri", "--groups", "none", "--out", tmp_path)
    assert "none" in process.communicate()[1]
    assert process.returncode == 2
    assert not any(tmp_path.iterdir())
