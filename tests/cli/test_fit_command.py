"""`keras-isample fit`: what is refused, last lines, the run folder."""

import json
import os
import re
import shutil
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from keras_isample.cli import main
from keras_isample.cli.fit_command import _shown


@pytest.mark.parametrize(
    "option, value",
    [
        ("--epochs", "many"),
        ("--epochs", "0"),
        ("--epochs", "1.5"),
        ("--spacing", "1,1"),
        ("--spacing", "wide"),
        ("--epsilon", "2"),
        ("--epsilon", "nan"),
        ("--patch-size", "9"),
        ("--intensity", "pet"),
        ("--split", "1,2"),
        ("--fold", "6/5"),
        ("--fold", "x"),
        ("--lr-schedule", "cosine:3"),
        ("--learning-rate", "-1"),
        ("--tile-memory", "lots"),
        ("--preset", "none"),
        ("--config", "/none.toml"),
    ],
)
def test_bad_option_is_one_line(tmp_path, ball_data, option, value, refusal):
    run_folder = tmp_path / "run"
    text = refusal(
        "fit", "--data", ball_data, "--run", run_folder, option, value
    )
    assert option.lstrip("-") in text or value in text
    assert not run_folder.exists()


@pytest.mark.parametrize("command", ["fit", "inspect"])
def test_missing_data_is_one_line(tmp_path, command, refusal):
    path = tmp_path / "none"
    data = ["--data", path] if command == "fit" else [path]
    assert refusal(command, *data).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["fit", "inspect"])
def test_file_instead_of_a_folder_is_one_line(tmp_path, command, refusal):
    path = tmp_path / "scan.nii.gz"
    path.write_text("x")
    data = [path]
    if command == "fit":
        data = ["--data", path, "--run", tmp_path / "run"]
    assert refusal(command, *data).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["scan.nii.gz"]


def test_empty_folder_is_one_line(tmp_path, refusal):
    (tmp_path / "data").mkdir()
    refusal("fit", "--data", tmp_path / "data", "--run", tmp_path / "run")
    assert os.listdir(tmp_path) == ["data"]


def test_no_phantom_is_drawn_for_wrong_settings(tmp_path, monkeypatch, refusal):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert refusal("fit", "--epochs", "0").startswith("--epochs: ")
    assert os.listdir(tmp_path) == []


def test_unknown_labels_are_one_line(tmp_path, ball_options, refusal):
    options = [*ball_options, "--run", tmp_path / "run"]
    text = refusal("fit", *options, "--labels", "kidney")
    assert "kidney" in text and "ball" in text
    assert not (tmp_path / "run").exists()


def test_broken_scan_is_one_line(tmp_path, write_balls, ball_options, refusal):
    data = write_balls(tmp_path / "data")
    path = data / "images/case_1.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])
    options = [*ball_options, "--data", data, "--run", tmp_path / "run"]
    text = refusal("fit", *options, "--split", "1,0,0", "--quiet")
    assert text.startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["data"]


def test_wrong_label_is_one_line(tmp_path, write_balls, ball_options, refusal):
    data = write_balls(tmp_path / "data")
    path = data / "labels/case_1.nii.gz"
    image = nib.load(path)
    array = np.asarray(image.dataobj).copy()
    array[0, 0, 0] = 9
    nib.save(nib.Nifti1Image(array, image.affine), path)
    options = [*ball_options, "--data", data, "--run", tmp_path / "run"]
    text = refusal("fit", *options, "--split", "1,0,0", "--quiet")
    assert text.startswith(f"{path}: unknown label value 9")
    assert os.listdir(tmp_path) == ["data"]


def test_existing_run_is_one_line(ball_run, ball_options, refusal):
    text = refusal("fit", *ball_options, "--run", ball_run.path, "-q")
    assert "exists already" in text
    assert "--resume" in text and "--overwrite" in text


def test_folder_that_is_no_run_is_not_overwritten(
    tmp_path, ball_options, refusal
):
    (tmp_path / "thesis.docx").write_text("mine")
    options = [*ball_options, "--run", tmp_path, "--overwrite", "-q"]
    assert "is no run" in refusal("fit", *options)
    assert os.listdir(tmp_path) == ["thesis.docx"]


@pytest.mark.parametrize(
    "options, said",
    [
        ([], "needs --run"),
        (["--run", "RUN", "--data", "/none"], "/none: does not exist"),
        (["--run", "RUN", "--preset", "kidneys-2017"], "takes its settings"),
        (["--run", "RUN", "--config", "x.toml"], "takes its settings"),
        (["--run", "RUN", "--batch-size", "5"], "--batch-size: is 2 in"),
        (["--run", "RUN", "--epochs", "9", "--seed", "1"], "--seed: is 0 in"),
        (["--run", "NONE"], "holds no run"),
    ],
)
def test_wrong_resumption_is_one_line(
    tmp_path, ball_run, options, said, refusal
):
    names = {"RUN": ball_run.path, "NONE": tmp_path}
    options = [names.get(option, option) for option in options]
    assert said in refusal("fit", "--resume", *options)


def test_settings_that_agree_may_be_given_when_resuming(ball_run, run):
    result = run(
        "fit", "--resume", "--run", ball_run.path, "--batch-size", 2, "-q"
    )
    assert result.exit_code == 0
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"{ball_run.path} best validation Dice ")


def test_data_that_are_gone_may_be_named(
    tmp_path, write_balls, ball_run, refusal
):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    text = (ball_run.path / "config.toml").read_text()
    data = re.search(r'^data = "(.*)"', text)[1]
    gone = text.replace(data, f"{tmp_path}/gone")
    (run_folder / "config.toml").write_text(gone)
    options = ["--resume", "--run", run_folder]
    text = refusal("fit", *options)
    assert text.startswith(f"{tmp_path}/gone: is not there any more")
    assert "--data" in text
    text = refusal("evaluate", run_folder)
    assert text.startswith(f"{tmp_path}/gone: is not there any more")
    assert "--data" in text


def test_cache_may_lie_elsewhere_when_resuming(tmp_path, ball_run, run):
    run_folder = tmp_path / "run"
    shutil.copytree(ball_run.path, run_folder)
    options = ["--run", run_folder, "--cache", tmp_path / "cache", "-q"]
    result = run("fit", "--resume", *options)
    assert result.exit_code == 0, result.stderr
    text = (run_folder / "config.toml").read_text()
    assert f'cache = "{tmp_path}/cache"' in text


def test_quiet_is_quiet(ball_run, run):
    result = run("fit", "--resume", "--run", ball_run.path, "--quiet")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


def test_folder_that_may_not_be_written_is_one_line(
    tmp_path, ball_options, monkeypatch, refusal
):
    from keras_isample.training import run_folder

    def refuse(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run_folder, "write_text", refuse)
    path = tmp_path / "run"
    text = refusal("fit", *ball_options, "--run", path, "--quiet")
    assert text.startswith(f"{path}/config.toml: Permission denied. ")


@pytest.mark.parametrize("relative", [".", "../{name}", "../{name}/"])
def test_runs_are_named_after_the_data_wherever_one_stands(
    tmp_path,
    monkeypatch,
    ball_data,
    ball_options,
    restored_signals,
    relative,
    run,
):
    from keras_isample.training import run as training_run

    paths = []

    def train(config, path, **options):
        paths.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(training_run, "fit", train)
    monkeypatch.chdir(ball_data)
    given = relative.format(name=ball_data.name)
    assert run("fit", *ball_options, "--data", given).exit_code == 130
    (path,) = paths
    assert re.fullmatch(rf"runs/{ball_data.name}-\d{{8}}-\d{{6}}", path)


@pytest.mark.parametrize(
    ("dice", "estimate", "text"),
    [
        (0.71236, None, "0.7124"),
        (0.71236, 0.9, "0.7124"),
        (None, 0.9, "0.9000 (estimated)"),
        (None, None, "not validated"),
    ],
)
def test_an_estimate_is_shown_where_no_whole_scan_was_predicted(
    dice, estimate, text
):
    result = SimpleNamespace(best_dice=dice, best_estimate=estimate)
    assert _shown(result) == text


@pytest.mark.slow
def test_run_is_trained_and_evaluated(tmp_path, ball_options, start):
    path = tmp_path / "run"
    done = start("fit", *ball_options, "--run", path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path} best validation Dice 0.")
    assert "classes: 0 background, 1 ball, 2 bead" in done.stderr
    for epoch in (1, 2, 3):
        assert f"epoch {epoch}/3  loss " in done.stderr
    for remark in ("retracing", "absl", "oneDNN custom"):
        assert remark not in done.stderr
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["command_line"][1:3] == ["fit", "--data"]
    assert f"{manifest['best_val_dice']:.4f}" == line.split()[-1]
    done = start("evaluate", path, "--split", "test", "--quiet")
    assert done.returncode == 0, done.stderr
    # No progress, but what the postprocessing has taken away.
    assert all(": removed " in line for line in done.stderr.splitlines())
    summary = path / "evaluation/test/summary.json"
    assert done.stdout.splitlines()[-1] == str(summary)
    assert {"foreground_mean", "mean", "metric_per_case"} <= set(
        json.loads(summary.read_text())
    )


@pytest.mark.slow
def test_options_win_over_file_over_preset(
    tmp_path, ball_data, ball_settings, start
):
    file = tmp_path / "settings.toml"
    file.write_text(
        f"data = '{ball_data}'\nbatch_size = 3\nsteps_per_epoch = 2\n"
        f"[anything]\nwidth = 0.3\nspacing = 'native'\nlabels = 'ball'\n"
        f"cache = '{ball_settings['cache']}'\n"
    )
    path = tmp_path / "run"
    done = start(
        *("fit", "--preset", "kidneys-2018", "--config", file),
        *("--run", path, "--steps-per-epoch", 1, "--epochs", 1),
    )
    assert done.returncode == 0, done.stderr
    text = (path / "config.toml").read_text()
    # From the option, the file, the preset and the defaults.
    assert "steps_per_epoch = 1\n" in text
    assert "batch_size = 3\n" in text
    assert "learning_rate = 0.001\n" in text
    assert "split = [16.0, 4.0, 0.0]\n" in text
    assert "patch_size = 8\n" in text


def test_resume_and_overwrite_contradict_each_other(tmp_path):
    command = ["fit", "--run", str(tmp_path), "--resume", "--overwrite"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "--overwrite: contradicts --resume" in result.output
