"""The program as a whole: start, help, and errors in one line."""

import os
import subprocess
import sys

import pytest

from keras_isample.version import __version__

HEAVY = {"tensorflow", "keras", "numpy", "scipy", "nibabel", "rich"}
COMMANDS = ["evaluate", "fit", "inspect", "phantom", "predict"]


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--help"], 0),
        (["--version"], 0),
        (["fit", "--help"], 0),
        (["fit", "--help-all"], 0),
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
    script = tmp_path / "program.py"
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
    modules = (tmp_path / "program.py.txt").read_text().split()
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


def test_help_tells_every_command(run):
    result = run("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"  {command} " in result.stdout
        assert run(command, "--help").exit_code == 0


def test_no_command_shows_the_help(run):
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert "error" not in result.stderr


def test_version_is_told(run):
    assert __version__ in run("--version").stdout


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
def test_bad_command_is_one_line(
    tmp_path, ball_run, ball_data, command, refusal
):
    names = {
        "NONE": tmp_path / "none",
        "OUT": tmp_path / "out",
        "RUN": ball_run.path,
        "DATA": ball_data / "labels",
        "SCAN": ball_data / "images/case_0.nii.gz",
    }
    refusal(*[names.get(part, part) for part in command])
    assert os.listdir(tmp_path) == []
