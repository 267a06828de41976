"""Ways to call the command line."""

import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from keras_isample.cli import main
from keras_isample.cli.interruption import interruption


@pytest.fixture
def run():
    """Function that runs a command in this process."""

    def invoke(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return invoke


@pytest.fixture
def refusal(run):
    """Function that gives the one line on stderr of a refused command."""

    def refused(*arguments):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        errors = [x for x in result.stderr.splitlines() if "error" in x]
        (line,) = errors
        assert line.startswith("keras-isample: error: ")
        assert "Traceback" not in result.stderr
        return line.removeprefix("keras-isample: error: ")

    return refused


@pytest.fixture
def start():
    """Function that runs a command in a process of its own."""

    def run_program(*arguments):
        command = [sys.executable, "-m", "keras_isample", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=300
        )

    return run_program


@pytest.fixture
def restored_signals(monkeypatch):
    """What the command line changes of the process is put back."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    older = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(interruption, "received", False)
    yield
    for number, handler in older.items():
        signal.signal(number, handler)
