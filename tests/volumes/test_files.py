import os
import signal
import subprocess
import sys

import pytest

from keras_isample.volumes.files import remove_unfinished
from keras_isample.volumes.files import write_text
from keras_isample.volumes.files import written_whole


def test_file_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "a.txt"
    with written_whole(path) as beside:
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_older_file_is_replaced(tmp_path):
    write_text(tmp_path / "a.txt", "older and longer")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_whoever_reads_the_older_file_reads_it_to_its_end(tmp_path):
    write_text(tmp_path / "a.txt", "older")
    with open(tmp_path / "a.txt") as older:
        write_text(tmp_path / "a.txt", "new")
        assert older.read() == "older"


def test_name_beside_keeps_its_ending(tmp_path):
    with written_whole(tmp_path / "scan.nii.gz") as beside:
        assert beside.name.endswith(".nii.gz")
        assert beside.parent == tmp_path
        beside.touch()


def test_error_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "older")
    with pytest.raises(KeyboardInterrupt):
        with written_whole(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        with written_whole(tmp_path / "a.txt"):
            pass
    assert os.listdir(tmp_path) == []


def test_folders_are_made_for_texts(tmp_path):
    write_text(tmp_path / "a/b/c.txt", "über")
    assert (tmp_path / "a/b/c.txt").read_bytes() == "über".encode()


def test_killed_writer_leaves_the_older_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "older")
    program = (
        "import os, signal, sys\n"
        "from keras_isample.volumes.files import written_whole\n"
        "with written_whole(sys.argv[1]) as beside:\n"
        "    beside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The name of the command keeps TensorFlow from being imported.
    script = tmp_path / "keras-isample"
    script.write_text(program)
    done = subprocess.run([sys.executable, script, path], timeout=60)
    script.unlink()
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "older"
    assert len(os.listdir(tmp_path)) == 2
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_only_unfinished_files_are_removed(tmp_path):
    kept = {".config", ".0123-a.txt", "0123abcd-a.txt", ".0123abcx-a.txt"}
    for name in kept | {".0123abcd-a.txt"}:
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert set(os.listdir(tmp_path)) == kept
