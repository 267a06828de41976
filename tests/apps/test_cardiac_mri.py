"""The cardiac study, as a program."""

import csv

import pytest

pytestmark = pytest.mark.slow

SHORT = ["--epochs", 1, "--steps-per-epoch", 1]


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


@pytest.mark.parametrize(
    "options, option",
    [
        (["--epochs", 0], "--epochs"),
        (["--groups", "networks", "--seeds", 2], "--seeds"),
    ],
)
def test_bad_options_are_one_line_and_draw_nothing(
    tmp_path, start_app, options, option
):
    out = tmp_path / "out"
    process = start_app("cardiac_mri", *options, "--out", out)
    lines = process.communicate()[1].strip().splitlines()
    assert lines[-1].startswith(f"Error: {option}: ")
    assert process.returncode == 1
    assert not out.exists()
