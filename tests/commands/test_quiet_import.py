"""Lines that are not Python's are held back, and shown after a failure."""

import os
import subprocess
import sys

import pytest

from keras_isample.commands.quiet_import import quiet_import


def test_what_is_written_while_importing_is_not_shown(capfd):
    with quiet_import():
        os.write(2, b"remark\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_it_is_shown_when_the_import_fails(capfd):
    with pytest.raises(ImportError), quiet_import():
        os.write(2, b"remark\n")
        raise ImportError("no library")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "remark\nafter\n"


def test_it_is_shown_when_asked_for(capfd):
    with quiet_import(False):
        os.write(2, b"remark\n")
    assert capfd.readouterr().err == "remark\n"


def test_without_stderr_there_is_nothing_to_hold_back():
    program = (
        "import os; from keras_isample.commands.quiet_import import "
        "quiet_import; os.close(2)\nwith quiet_import(): print('imported')"
    )
    # Not as -m or -c of the package, which would import Keras.
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout == "imported\n"
