"""The command line: speed, errors in one line, exit codes, last lines."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from keras_isample.cli import main
from keras_isample.cli.interruption import interruption
from keras_isample.cli.run_settings import new_config
from keras_isample.version import __version__

HEAVY = {"tensorflow", "keras", "numpy", "scipy", "nibabel", "rich"}
COMMANDS = ["evaluate", "fit", "inspect", "phantom", "predict"]


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def refusal(*arguments):
    """The one line on stderr of a command that is refused."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if "error" in line]
    assert line.startswith("keras-isample: error: ")
    assert "Traceback" not in result.stderr
    return line.removeprefix("keras-isample: error: ")


def start(*arguments, **options):
    command = [sys.executable, "-m", "keras_isample", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, **options
    )


# What answers at once.


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--help"], 0),
        (["--version"], 0),
        (["fit", "--help"], 0),
        (["fit", "--epochs", "many"], 2),
        (["fit", "--nonsense"], 2),
        (["fit", "--epochs", "0"], 2),
        (["fit", "--data", "/none"], 2),
        (["predict", "/none", "/none", "--out", "x"], 2),
        (["evaluate"], 2),
        (["evaluate", "/none"], 2),
        (["evaluate", "--reference", "/none", "--prediction", "/none"], 2),
        (["fit", "--resume"], 2),
        (["fit", "--resume", "--run", "/none"], 2),
        ([], 2),
    ],
)
def test_answer_needs_no_keras(tmp_path, arguments, code):
    # The script has the name of the installed program.
    script = tmp_path / "keras-isample"
    script.write_text(
        "import sys\n"
        "from keras_isample.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(*sys.modules, file=open(sys.argv[0] + '.txt', 'w'))\n"
    )
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == code
    modules = (tmp_path / "keras-isample.txt").read_text().split()
    assert "keras_isample.cli" in modules
    assert HEAVY.isdisjoint(modules)


def test_module_answers_without_keras_too():
    command = [sys.executable, "-X", "importtime", "-m", "keras_isample"]
    done = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    modules = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "keras_isample.cli" in modules
    assert HEAVY.isdisjoint(modules)


@pytest.mark.parametrize(
    "options",
    [
        ["-m", "mine.program"],
        ["-X", "dev", "-Wignore::DeprecationWarning", "-mmine.program"],
        # What follows the module is its own.
        ["-m", "mine.program", "-m", "keras_isample"],
    ],
)
def test_programs_of_others_get_the_classes_at_once(tmp_path, options):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("import keras_isample")
    (package / "program.py").write_text(
        "import sys\nprint('keras_isample.models' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "True\n"


def test_help_tells_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"  {command} " in result.stdout
        assert run(command, "--help").exit_code == 0


def test_no_command_shows_the_help():
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert "error" not in result.stderr


def test_version_is_told():
    assert __version__ in run("--version").stdout


def test_saved_model_loads_after_import_of_the_package(ball_run):
    program = (
        "import sys, keras_isample, keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(type(model).__name__, model.metadata['num_classes'])\n"
    )
    path = ball_run.path / "model.keras"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split()[-1] == "3", done.stderr


# What is refused.


@pytest.mark.parametrize(
    "option, value",
    [
        ("--data", ["x"]),
        ("--split", ["test"]),
        ("--sides", []),
        ("--postprocess", ["none"]),
        ("--tile-memory", ["1GB"]),
    ],
)
def test_folders_are_evaluated_without_options_of_runs(option, value):
    folders = ["--reference", "/none", "--prediction", "/none"]
    line = refusal("evaluate", *folders, option, *value)
    assert line.startswith(f"{option}: needs RUN")


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
def test_bad_option_is_one_line(tmp_path, ball_data, option, value):
    run_folder = tmp_path / "run"
    text = refusal(
        "fit", "--data", ball_data, "--run", run_folder, option, value
    )
    assert option.lstrip("-") in text or value in text
    assert not run_folder.exists()


@pytest.mark.parametrize("command", ["fit", "inspect"])
def test_missing_data_is_one_line(tmp_path, command):
    path = tmp_path / "none"
    data = ["--data", path] if command == "fit" else [path]
    assert refusal(command, *data).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["fit", "inspect"])
def test_file_instead_of_a_folder_is_one_line(tmp_path, command):
    path = tmp_path / "scan.nii.gz"
    path.write_text("x")
    data = [path]
    if command == "fit":
        data = ["--data", path, "--run", tmp_path / "run"]
    assert refusal(command, *data).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["scan.nii.gz"]


def test_empty_folder_is_one_line(tmp_path):
    (tmp_path / "data").mkdir()
    refusal("fit", "--data", tmp_path / "data", "--run", tmp_path / "run")
    assert os.listdir(tmp_path) == ["data"]


def test_no_phantom_is_drawn_for_wrong_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert refusal("fit", "--epochs", "0").startswith("--epochs: ")
    assert os.listdir(tmp_path) == []


def test_unknown_labels_are_one_line(tmp_path, ball_options):
    options = [*ball_options, "--run", tmp_path / "run"]
    text = refusal("fit", *options, "--labels", "kidney")
    assert "kidney" in text and "ball" in text
    assert not (tmp_path / "run").exists()


def test_broken_scan_is_one_line(tmp_path, write_balls, ball_options):
    data = write_balls(tmp_path / "data")
    path = data / "images/case_1.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])
    options = [*ball_options, "--data", data, "--run", tmp_path / "run"]
    text = refusal("fit", *options, "--split", "1,0,0", "--quiet")
    assert text.startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["data"]


def test_wrong_label_is_one_line(tmp_path, write_balls, ball_options):
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


def test_existing_run_is_one_line(ball_run, ball_options):
    text = refusal("fit", *ball_options, "--run", ball_run.path, "-q")
    assert "exists already" in text
    assert "--resume" in text and "--overwrite" in text


def test_folder_that_is_no_run_is_not_overwritten(tmp_path, ball_options):
    (tmp_path / "thesis.docx").write_text("mine")
    options = [*ball_options, "--run", tmp_path, "--overwrite", "-q"]
    assert "is no run" in refusal("fit", *options)
    assert os.listdir(tmp_path) == ["thesis.docx"]


@pytest.mark.parametrize(
    "options, said",
    [
        ([], "needs --run"),
        (["--run", "RUN", "--data", "x"], "takes its settings from the run"),
        (["--run", "RUN", "--preset", "kidneys-2017"], "takes its settings"),
        (["--run", "RUN", "--config", "x.toml"], "takes its settings"),
        (["--run", "RUN", "--batch-size", "5"], "--batch-size: is 2 in"),
        (["--run", "RUN", "--epochs", "9", "--seed", "1"], "--seed: is 0 in"),
        (["--run", "NONE"], "holds no run"),
    ],
)
def test_wrong_resumption_is_one_line(tmp_path, ball_run, options, said):
    names = {"RUN": ball_run.path, "NONE": tmp_path}
    options = [names.get(option, option) for option in options]
    assert said in refusal("fit", "--resume", *options)


def test_settings_that_agree_may_be_given_when_resuming(ball_run):
    result = run(
        "fit", "--resume", "--run", ball_run.path, "--batch-size", 2, "-q"
    )
    assert result.exit_code == 0
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"{ball_run.path} best validation Dice ")


def test_quiet_is_quiet(ball_run):
    result = run("fit", "--resume", "--run", ball_run.path, "--quiet")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "NONE", "SCAN", "--out", "OUT"],
        ["predict", "RUN", "NONE", "--out", "OUT"],
        ["predict", "RUN", "SCAN", "--out", "OUT", "--tile-memory", "no"],
        ["predict", "RUN", "SCAN"],
        ["predict", "RUN", "--out", "OUT"],
        ["evaluate", "NONE"],
        ["evaluate", "RUN", "--split", "all"],
        ["evaluate", "RUN", "--reference", "DATA"],
        ["evaluate", "--reference", "DATA"],
        ["evaluate", "--reference", "DATA", "--prediction", "NONE"],
        ["phantom", "OUT", "--shape", "1,2"],
        ["phantom", "OUT", "--spacing", "a,b,c"],
        ["phantom", "OUT", "--layout", "dicom"],
        ["phantom", "OUT", "--kind", "pet"],
        ["phantom", "OUT", "--kind", "cardiac", "--shape", "96,96,96"],
        ["phantom", "OUT", "--kind", "brain", "--layout", "nnunet"],
        ["nonsense"],
    ],
)
def test_bad_command_is_one_line(tmp_path, ball_run, ball_data, command):
    names = {
        "NONE": tmp_path / "none",
        "OUT": tmp_path / "out",
        "RUN": ball_run.path,
        "DATA": ball_data / "labels",
        "SCAN": ball_data / "images/case_0.nii.gz",
    }
    refusal(*[names.get(part, part) for part in command])
    assert os.listdir(tmp_path) == []


def test_film_is_one_line(tmp_path, ball_run):
    path = tmp_path / "film.nii.gz"
    array = np.zeros((5, 5, 5, 4), np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    text = refusal("predict", ball_run.path, path, "--out", tmp_path / "out")
    assert text.startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["film.nii.gz"]


def test_folder_that_may_not_be_written_is_one_line(
    tmp_path, ball_options, monkeypatch
):
    from keras_isample.training import run_folder

    def refuse(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run_folder, "write_text", refuse)
    path = tmp_path / "run"
    text = refusal("fit", *ball_options, "--run", path, "--quiet")
    assert text.startswith(f"{path}/config.toml: Permission denied. ")


# What is interrupted.


@pytest.fixture
def restored_signals(monkeypatch):
    """What the command line changes of the process is put back."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    older = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(interruption, "received", False)
    yield
    for number, handler in older.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("fate", ["kept", "lost", "disguised"])
def test_interruption_is_noticed_whatever_becomes_of_it(
    tmp_path, monkeypatch, ball_options, restored_signals, name, fate
):
    from keras_isample.training import run as training_run

    def train(config, path, *, callbacks, **options):
        try:
            os.kill(os.getpid(), getattr(signal, name))
        except KeyboardInterrupt:
            if fate == "kept":
                raise
            if fate == "disguised":
                raise RuntimeError("interrupted") from None
        callbacks[0].on_train_batch_end(0, logs=None)
        raise AssertionError("goes on")

    monkeypatch.setattr(training_run, "fit", train)
    (tmp_path / "config.toml").touch()
    result = run("fit", *ball_options, "--run", tmp_path)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert f"fit --run {tmp_path} --resume" in result.stderr
    assert "error" not in result.stderr


def test_other_errors_are_not_taken_for_interruptions(
    tmp_path, monkeypatch, ball_options, restored_signals
):
    from keras_isample.training import run as training_run

    def train(*args, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(training_run, "fit", train)
    result = run("fit", *ball_options, "--run", tmp_path)
    assert isinstance(result.exception, RuntimeError)


@pytest.mark.parametrize("relative", [".", "../{name}", "../{name}/"])
def test_runs_are_named_after_the_data_wherever_one_stands(
    tmp_path, monkeypatch, ball_data, ball_options, restored_signals, relative
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


# What is done.


def test_inspection_of_good_data_exits_with_0(ball_data):
    result = run("inspect", ball_data, "--quiet")
    assert result.exit_code == 0
    assert "case_3" in result.stdout


def test_inspection_of_bad_data_exits_with_2(tmp_path, write_balls):
    data = write_balls(tmp_path / "data", cases=2)
    path = data / "images/case_1.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])
    result = run("inspect", data, "--quiet")
    assert result.exit_code == 2
    assert str(path) in result.stdout


def test_inspection_is_machine_readable(ball_data):
    result = run("inspect", ball_data, "--json", "--quiet")
    assert len(json.loads(result.stdout)) > 0


def test_phantom_is_written_and_recognized(tmp_path):
    path = tmp_path / "phantom"
    options = ["--cases", 1, "--shape", "40,40,40", "--quiet"]
    result = run("phantom", path, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(path)
    assert "already" in refusal("phantom", path, *options)


@pytest.mark.parametrize(
    "kind, shape, part",
    [("cardiac", "40,32", "."), ("brain", "16,16,16", "auto")],
)
def test_phantom_of_a_kind_is_written_and_recognized(
    tmp_path, kind, shape, part
):
    path = tmp_path / "phantom"
    options = ["--kind", kind, "--cases", 3, "--shape", shape, "--quiet"]
    result = run("phantom", path, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(path)]
    result = run("inspect", path / part, "--intensity", "zscore", "--json")
    assert "images/ + labels/" in result.stderr
    assert "split by the data" in result.stderr


def test_scan_is_predicted_and_compared(tmp_path, ball_run, ball_data):
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


@pytest.mark.slow
def test_run_is_trained_and_evaluated(tmp_path, ball_options):
    path = tmp_path / "run"
    done = start("fit", *ball_options, "--run", path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path} best validation Dice 0.")
    assert "classes: 0 background, 1 ball, 2 bead" in done.stderr
    for epoch in (1, 2, 3):
        assert f"epoch {epoch}/3  loss " in done.stderr
    for remark in ("retracing", "absl", "oneDNN"):
        assert remark not in done.stderr
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["command_line"][1:3] == ["fit", "--data"]
    assert f"{manifest['best_val_dice']:.4f}" == line.split()[-1]
    done = start("evaluate", path, "--split", "test", "--quiet")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    summary = path / "evaluation/test/summary.json"
    assert done.stdout.splitlines()[-1] == str(summary)
    assert {"foreground_mean", "mean", "metric_per_case"} <= set(
        json.loads(summary.read_text())
    )


@pytest.mark.slow
def test_options_win_over_file_over_preset(tmp_path, ball_data, ball_settings):
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
    assert 'split = "16,4,0"\n' in text
    assert "patch_size = 8\n" in text


@pytest.mark.parametrize(
    ("options", "because"),
    [
        (["--save-error-maps", "--sampling", "uniform"], "--sampling uniform"),
        (["--epsilon", 0.1, "--sampling", "uniform"], "--sampling uniform"),
        (["--augmentation", "cardiac", "--no-augment"], "--no-augment"),
        (["--loss", "dice", "--loss-schedule", "ce->dice"], "--loss-schedule"),
        (["--loss-transition", "step"], "without a --loss-schedule"),
        (["--validate-every", 2, "--refit"], "--refit"),
        (["--early-stopping", 2, "--validate-every", 51], "--validate-every"),
        (["--period", 5], "without --learning-rate auto"),
    ],
)
def test_options_without_effect_are_refused(ball_data, options, because):
    text = refusal("fit", "--data", ball_data, *options, "--network", "unet")
    assert text.startswith(f"{options[0]}: has no effect ")
    assert because in text


def test_options_without_effect_are_refused_when_a_run_goes_on(ball_run):
    options = ["--run", ball_run.path, "--executor", "process"]
    text = refusal("fit", "--resume", *options)
    assert text.startswith("--executor: has no effect without --learning-rate")


def test_settings_of_a_file_may_be_without_effect(tmp_path, ball_data):
    file = tmp_path / "a.toml"
    file.write_text("epsilon = 0.1\nperiod = 5\n")
    chosen = {"sampling": "uniform", "save_error_maps": False}
    config = new_config(file, None, ball_data, chosen, quiet=True)
    assert config.sampling.epsilon == 0.1


def test_resume_and_overwrite_contradict_each_other(tmp_path):
    command = ["fit", "--run", str(tmp_path), "--resume", "--overwrite"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "--overwrite: contradicts --resume" in result.output
