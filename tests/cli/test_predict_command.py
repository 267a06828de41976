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
    assert "exists already" in refusal(
        "predict", ball_run.path, scan, "--out", out
    )
    reference = tmp_path / "reference"
    reference.mkdir()
    shutil.copy(ball_data / "labels/case_0.nii.gz", reference)
    folders = ["--reference", reference, "--prediction", out]
    result = run("evaluate", *folders)
    assert result.exit_code == 0, result.stderr
    assert "Dice" in result.stdout
    assert result.stdout.splitlines()[-1] == str(out / "summary.json")
    assert "exists already" in refusal("evaluate", *folders)
