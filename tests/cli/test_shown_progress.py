"""Progress on stderr, and what else is written beside it."""

import io
import logging
import os
import pty
import re
import subprocess
import sys

import pytest

from keras_isample.cli import shown_progress as module
from keras_isample.cli.interruption import interruption
from keras_isample.cli.shown_progress import LogLines
from keras_isample.cli.shown_progress import echo
from keras_isample.cli.shown_progress import shown_progress
from keras_isample.progress import LineReporter
from keras_isample.progress import Reporter
from keras_isample.progress import TerminalReporter

NOTICE = "building the network and its first step (this takes about "


def test_a_file_gets_lines_and_quiet_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for quiet, kind in ((False, LineReporter), (True, Reporter)):
        with shown_progress(quiet) as reporter:
            assert type(reporter) is kind


@pytest.mark.parametrize("quiet", [False, True])
def test_an_interruption_is_noticed_even_within_a_scan(monkeypatch, quiet):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown_progress(quiet) as reporter:
        with reporter.phase("error maps", 2, item="case") as phase:
            phase.within(1, 9)
            monkeypatch.setattr(interruption, "received", True)
            with pytest.raises(KeyboardInterrupt):
                phase.within(2, 9)


@pytest.fixture
def drawn(monkeypatch):
    """A terminal that has a phase, as its raw text."""
    stream = io.StringIO()
    reporter = TerminalReporter(stream, width=lambda: 80, beat=None)
    monkeypatch.setattr(module, "_reporters", [reporter])
    with reporter.phase("segmenting"):
        yield stream


def test_lines_of_the_log_go_above_what_is_redrawn(drawn):
    handler = LogLines(drawn)
    handler.emit(logging.makeLogRecord({"msg": "a scan is dark"}))
    assert drawn.getvalue().endswith("\r\x1b[Ja scan is dark\nsegmenting  0:00")


def test_what_goes_to_stdout_does_too(drawn, capsys):
    echo("out/scan.nii.gz")
    assert capsys.readouterr().out == "out/scan.nii.gz\n"
    assert drawn.getvalue().endswith("\r\x1b[Jsegmenting  0:00")


def test_files_are_not_mixed_with_what_is_redrawn(tmp_path):
    """On a terminal stdout may still be a file."""
    data = tmp_path / "data"
    command = [sys.executable, "-m", "keras_isample", "phantom", str(data)]
    command += ["--cases", "1", "--shape", "16,16,16"]
    main, other = pty.openpty()
    with open(tmp_path / "stdout", "w") as out:
        child = subprocess.Popen(
            command,
            stdout=out,
            stderr=other,
            env={**os.environ, "TERM": "xterm"},
        )
    os.close(other)
    text = b""
    while True:
        try:
            part = os.read(main, 1 << 16)
        except OSError:
            part = b""
        if not part:
            break
        text += part
    os.close(main)
    assert child.wait() == 0
    assert (tmp_path / "stdout").read_text() == f"{data}\n"
    text = text.decode()
    assert "drawing scans" in text
    # At the end nothing is left of it, and there never was any color.
    assert text.endswith("\r\x1b[J")
    assert not re.search(r"\x1b\[[\d;]*m", text)


@pytest.mark.slow
def test_a_pipe_is_told_that_the_network_is_built(
    tmp_path, ball_options, start
):
    options = ["--epochs", "1", "--steps-per-epoch", "1"]
    run = tmp_path / "run"
    done = start("fit", *ball_options, *options, "--run", run)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    (number,) = [i for i, x in enumerate(lines) if x.startswith(NOTICE)]
    assert lines[-1].startswith("epoch 1/1  loss ")
    assert number < len(lines) - 1
    assert "\x1b" not in done.stderr


def test_it_is_shown_while_stderr_is_held_back(tmp_path):
    """Importing TensorFlow may take long, too."""
    code = (
        "import sys\n"
        "from keras_isample.cli.shown_progress import shown_progress\n"
        "from keras_isample.commands.quiet_import import quiet_import\n"
        "with shown_progress(False) as reporter:\n"
        "    with quiet_import():\n"
        "        print('later', file=sys.stderr)\n"
        "        reporter.say('first')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    # The import of the package may have said something before.
    assert done.stderr.endswith("first\nlater\n")
