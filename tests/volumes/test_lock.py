"""Locks: one at a time, freed by the system, telling who holds them."""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from keras_isample.volumes.lock import Busy
from keras_isample.volumes.lock import held

HOLD = (
    "import sys, time\n"
    "from keras_isample.volumes.lock import held\n"
    "with held(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(600)\n"
)


@pytest.fixture
def other(tmp_path):
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, tmp_path / "lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_one_at_a_time(tmp_path):
    with held(tmp_path / "lock"):
        with pytest.raises(Busy, match=str(os.getpid())):
            with held(tmp_path / "lock"):
                pass
    with held(tmp_path / "lock"):
        pass
    assert not os.listdir(tmp_path)


def test_other_process_is_named(tmp_path, other):
    with pytest.raises(Busy, match=f"process {other.pid} on "):
        with held(tmp_path / "lock"):
            pass
    assert (tmp_path / "lock").exists()


def test_killed_process_frees_it(tmp_path, other):
    other.kill()
    other.wait()
    with held(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text().split()[0] == str(os.getpid())
    assert not os.listdir(tmp_path)


def test_patient_one_gets_it(tmp_path, other):
    killer = threading.Timer(0.5, other.kill)
    killer.start()
    with held(tmp_path / "lock", patience=60):
        killer.join()
        assert other.wait() == -signal.SIGKILL


def test_removed_by_hand_it_is_made_anew(tmp_path):
    path = tmp_path / "lock"
    with contextlib.ExitStack() as first:
        first.enter_context(held(path))
        path.unlink()
        with held(path):
            # The first one leaves the file of the second alone.
            first.close()
            with pytest.raises(Busy), held(path):
                pass
    assert not os.listdir(tmp_path)


def test_removed_while_it_was_being_locked_it_is_made_anew(
    tmp_path, monkeypatch
):
    path, calls = tmp_path / "lock", []

    def flock(file, operation):
        if not calls:
            path.unlink()
        calls.append(operation)
        real(file, operation)

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", flock)
    with held(path):
        assert path.exists()
        with pytest.raises(Busy), held(path):
            pass
    assert len(calls) == 3


@pytest.mark.parametrize("name", ["flock", "fstat"])
def test_stale_file_is_made_anew(tmp_path, monkeypatch, name):
    module = fcntl if name == "flock" else os
    real, stale = getattr(module, name), failing(errno.ESTALE)
    calls = []

    def once(*arguments):
        calls.append(arguments)
        return (stale if len(calls) == 1 else real)(*arguments)

    monkeypatch.setattr(module, name, once)
    with held(tmp_path / "lock") as locked:
        assert locked
        with pytest.raises(Busy), held(tmp_path / "lock"):
            pass
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_holds_nothing_and_says_so_once(
    tmp_path, monkeypatch, caplog, code
):
    monkeypatch.setattr(fcntl, "flock", failing(code))
    for name in ("lock", "other"):
        with held(tmp_path / name) as locked:
            assert not locked
    assert not os.listdir(tmp_path)
    (record,) = caplog.records
    assert record.message.startswith(f"{tmp_path}: the file system has no loc")


def test_lock_needs_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))
    with held(tmp_path / "lock") as locked:
        assert locked
        with pytest.raises(Busy, match="of somebody else"):
            with held(tmp_path / "lock"):
                pass
    assert not os.listdir(tmp_path)


def test_other_errors_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        with held(tmp_path / "lock"):
            pass


def failing(code):
    """A function that fails."""

    def function(*arguments):
        raise OSError(code, os.strerror(code))

    return function


def test_errors_free_it(tmp_path):
    with pytest.raises(KeyError), held(tmp_path / "lock"):
        raise KeyError
    assert not os.listdir(tmp_path)
