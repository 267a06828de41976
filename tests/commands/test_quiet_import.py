"""TensorFlow's remarks are held back, everything else is shown."""

import os
import subprocess
import sys

import pytest

from keras_isample.commands.quiet_import import quiet_import

REMARKS = (
    b"WARNING: All log messages before absl::InitializeLog() is called\n"
    b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on.\n"
    b"E0000 00:00:1.2 3 cuda_fft.cc:4] Unable to register cuFFT factory\n"
    b"To enable the following instructions: AVX2\n"
)


def test_remarks_are_dropped_and_the_rest_follows(capfd):
    with quiet_import():
        os.write(2, REMARKS + b"deprecated: x\nE0000 0 1 x.cc:1] broken\n")
    os.write(2, b"after\n")
    expected = "deprecated: x\nE0000 0 1 x.cc:1] broken\nafter\n"
    assert capfd.readouterr().err == expected


def test_all_is_shown_when_the_import_fails(capfd):
    with pytest.raises(ImportError), quiet_import():
        os.write(2, REMARKS)
        raise ImportError("no library")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == REMARKS.decode() + "after\n"


def test_remarks_are_not_shown_when_interrupted(capfd):
    with pytest.raises(KeyboardInterrupt), quiet_import():
        os.write(2, REMARKS + b"deprecated: x\n")
        raise KeyboardInterrupt
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "deprecated: x\nafter\n"


def test_nothing_is_held_back_when_asked(capfd):
    with quiet_import(False):
        os.write(2, REMARKS)
    assert capfd.readouterr().err == REMARKS.decode()


def test_without_room_for_a_file_nothing_is_held_back(capfd, monkeypatch):
    def full(*_, **__):
        raise FileNotFoundError("no temporary folder")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with quiet_import():
        os.write(2, REMARKS)
    assert capfd.readouterr().err == REMARKS.decode()


@pytest.mark.parametrize("closed", ["os.close(2)", "sys.stderr = None"])
def test_without_stderr_there_is_nothing_to_hold_back(closed):
    program = (
        # As the installed program, which does not import Keras at once.
        "import os, sys; sys.argv = ['keras-isample']\n"
        "from keras_isample.commands.quiet_import import quiet_import\n"
        f"{closed}\n"
        "with quiet_import(): print('imported')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout == "imported\n"
    assert done.returncode == 0
