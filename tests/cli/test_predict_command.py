"""`keras-isample predict`, and `evaluate` of what it wrote."""

import os
import shutil

import nibabel as nib
import numpy as np


def test_film_is_one_line(tmp_path, ball_run, refusal):
    path = tmp_path / "film.nii.gz"
    array = np.zeros((5, 5, 5, 4), np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    text = refusal("predict", ball_run.path, path, "--out", tmp_path / "out")
    assert text.startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["film.nii.gz"]


def test_scan_is_predicted_and_compared(
    tmp_path, ball_run, ball_data, run, refusal
):
    scan = ball_data / "images/case_0.nii.gz"
    out = tmp_path / "out"
    result = run("predict", ball_run.path, scan, "--out", out, "-q")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(out / "case_0.nii.gz")]
    result = run("predict", ball_run.path, scan, "--out", out)
    assert (result.exit_code, result.stdout) == (0, "")
    reference = tmp_path / "reference"
    reference.mkdir()
    shutil.copy(ball_data / "labels/case_0.nii.gz", reference)
    folders = ["--reference", reference, "--prediction", out]
    result = run("evaluate", *folders)
    assert result.exit_code == 0, result.stderr
    assert "Dice" in result.stdout
    assert result.stdout.splitlines()[-1] == str(out / "summary.json")
    assert "exists already" in refusal("evaluate", *folders)


def test_scans_are_spared_whatever_the_options(ball_run, ball_data, refusal):
    folder = ball_data / "images"
    before = sorted(os.listdir(folder))
    for options in ([], ["--overwrite"]):
        text = refusal(
            "predict", ball_run.path, folder, "--out", folder, *options
        )
        assert "is the folder of the scans themselves" in text
    assert sorted(os.listdir(folder)) == before


def test_every_damaged_scan_is_a_line_at_the_end(
    tmp_path, ball_run, ball_data, run
):
    for name in "abc":
        path = tmp_path / f"in/{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(ball_data / "images/case_0.nii.gz", path)
        if name != "b":
            path.write_bytes(path.read_bytes()[:-60])
    out = tmp_path / "out"
    result = run("predict", ball_run.path, tmp_path / "in", "--out", out)
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [str(out / "b.nii.gz")]
    errors = [x for x in result.stderr.splitlines() if "error" in x]
    start = f"keras-isample: error: {tmp_path}/in/"
    assert [line[len(start) :][:8] for line in errors] == [
        "a.nii.gz",
        "c.nii.gz",
    ]
    assert "Traceback" not in result.stderr
