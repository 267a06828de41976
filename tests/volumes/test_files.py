import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from keras_isample.volumes import files
from keras_isample.volumes.files import DiskFull
from keras_isample.volumes.files import naming
from keras_isample.volumes.files import new_mapped_array
from keras_isample.volumes.files import new_mapped_file
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


@pytest.fixture
def full_disk(monkeypatch):
    """`posix_fallocate` finds no space."""

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)


def test_mapped_file_is_what_numpy_writes(tmp_path):
    array = new_mapped_file(tmp_path / "a.npy", np.int16, (2, 3, 4))
    assert not array.any()
    array[...] = np.arange(24).reshape(2, 3, 4)
    array.flush()
    np.save(tmp_path / "b.npy", np.array(array))
    written = (tmp_path / "a.npy").read_bytes()
    assert written == (tmp_path / "b.npy").read_bytes()


def test_space_of_a_mapped_file_is_reserved(tmp_path):
    new_mapped_file(tmp_path / "a.npy", np.uint8, (1 << 20,))
    facts = os.stat(tmp_path / "a.npy")
    assert facts.st_blocks * 512 >= facts.st_size > 1 << 20


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_zeros_are_written_where_no_space_is_reserved(
    tmp_path, monkeypatch, code
):
    def fail(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    array = new_mapped_file(tmp_path / "a.npy", np.uint8, (1_500_000,))
    facts = os.stat(tmp_path / "a.npy")
    assert facts.st_blocks * 512 >= facts.st_size > array.size
    array[...] = 7
    array.flush()
    assert (np.load(tmp_path / "a.npy") == 7).all()


def test_system_without_such_a_call_is_content(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    assert new_mapped_array(np.uint8, (3, 4)).shape == (3, 4)


def test_full_disk_is_named_before_anything_is_mapped(tmp_path, full_disk):
    path = tmp_path / "a.npy"
    with pytest.raises(DiskFull) as error:
        new_mapped_file(path, np.float32, (500, 1000))
    assert error.value.source == str(path)
    assert "needs 2.0 MB" in error.value.problem
    assert os.strerror(errno.ENOSPC) in error.value.problem
    assert os.listdir(tmp_path) == []


def test_full_temporary_folder_is_named(full_disk):
    with pytest.raises(DiskFull, match="TMPDIR") as error:
        new_mapped_array(np.uint8, (3_000_000,))
    assert error.value.source == tempfile.gettempdir()
    assert "needs 3.0 MB" in error.value.problem


def test_every_array_mapped_for_writing_is_reserved():
    package = Path(files.__file__).parents[1]
    made = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"memmap\(|mode=.[rw]\+", path.read_text())
    ]
    assert made == ["volumes/files.py"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space"),
        OSError(errno.EDQUOT, "Quota"),
        OSError(errno.ENOSPC, "No space", "other"),
        # NumPy, HDF5 and TensorFlow.
        OSError("1048576 requested and 131056 written"),
        RuntimeError("Can't write (errno = 28, error message = '')"),
        ValueError(f"{os.strerror(errno.ENOSPC)}\n\n[[node]]"),
    ],
)
def test_full_disk_is_known_however_it_is_said(tmp_path, error):
    with pytest.raises(DiskFull, match=r"^a: needs 1\.0 MB: .* free\)\. Free"):
        with naming("a", 1_000_000):
            raise error


def test_limit_of_a_file_has_nothing_to_do_with_free_space():
    text = f"^a: {os.strerror(errno.EFBIG)}. Free"
    with pytest.raises(DiskFull, match=text), naming("a"):
        raise OSError(errno.EFBIG, "Large")


def test_other_errors_of_the_system_get_a_name(tmp_path):
    with pytest.raises(OSError) as error, naming(tmp_path):
        raise OSError(errno.EIO, "broken")
    assert error.value.filename == str(tmp_path)
    assert error.value.errno == errno.EIO
    with pytest.raises(PermissionError) as error, naming(tmp_path):
        raise PermissionError(errno.EACCES, "no", "b")
    assert error.value.filename == "b"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_errors_of_others_stay_as_they_are(error):
    with pytest.raises(type(error)) as raised, naming("a"):
        raise error
    assert raised.value is error


def test_full_disk_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "older")
    with pytest.raises(DiskFull, match="a.txt: No space"):
        with written_whole(path) as beside:
            beside.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["a.txt"]
