"""Standard streams that are closed, full or in another encoding."""

import os
import subprocess
import sys

import pytest

PROGRAM = f"{sys.executable} -m keras_isample"


def shell(command, **environment):
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("command", ["--help", "--version", "fit --help"])
def test_full_output_is_one_line(command):
    done = shell(f"{PROGRAM} {command} > /dev/full")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("keras-isample: error: output: No space left")


def test_report_that_finds_no_room_is_one_line(ball_data):
    done = shell(f"{PROGRAM} inspect -q {ball_data} > /dev/full")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("keras-isample: error: output: No space left")


def test_program_whose_reader_has_gone_ends_as_others_do():
    done = shell(f"{PROGRAM} --help | true")
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("place", ["2>&-", "2>/dev/full", "0<&- 2>&-"])
def test_lost_remarks_change_nothing(ball_data, place):
    # What was recognized goes to stderr, the report to stdout.
    command = f"{PROGRAM} inspect --json {ball_data}"
    done = shell(f"{command} {place}")
    assert done.returncode == 0
    assert done.stdout == shell(f"{command} -q").stdout != b""


@pytest.mark.parametrize("place", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_code_tells_what_cannot_be_said(place):
    assert shell(f"{PROGRAM} fit --epochs many {place}").returncode == 2


def test_closed_stream_is_not_a_file_of_ours(tmp_path):
    script = tmp_path / "keras-isample"
    script.write_text(
        "import os, sys\n"
        "from keras_isample.cli.streams import prepare_streams\n"
        "prepare_streams()\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    os.write(2, b'a remark of TensorFlow')\n"
        "    file.write(f'{file.fileno() > 2} {sys.stderr is not None}')\n"
    )
    shell(f"{sys.executable} {script} {tmp_path / 'a'} 0<&- >&- 2>&-")
    assert (tmp_path / "a").read_text() == "True True"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
@pytest.mark.parametrize("name", ["Nière", b"b\xff"])
def test_any_name_can_be_told(tmp_path, environment, name):
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    done = subprocess.run(
        [sys.executable, "-m", "keras_isample", "inspect", path],
        capture_output=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"keras-isample: error: ")
    assert b"does not exist" in line


def test_name_that_is_no_text_goes_out_as_it_came_in(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"b\xff\xe9")
    done = subprocess.run(
        [sys.executable, "-m", "keras_isample", "inspect", path],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert path in done.stderr


@pytest.mark.slow
def test_training_goes_on_without_streams(tmp_path, ball_options):
    options = " ".join(ball_options)
    run = tmp_path / "run"
    done = shell(f"{PROGRAM} fit {options} --run {run} <&- >&- 2>&-")
    assert done.returncode == 0
    assert (run / "history.csv").exists()
    texts = [p for p in run.rglob("*") if p.suffix in (".toml", ".json")]
    assert all(b"TensorFlow" not in path.read_bytes() for path in texts)
