"""Work shared by processes: each part once, those of the killed too."""

import errno
import fcntl
import subprocess
import sys
import threading
import time

import pytest

from keras_isample.experiments import sharing
from keras_isample.experiments.sharing import share
from keras_isample.volumes.lock import Busy


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(sharing, "_PAUSE", 0.01)


@pytest.fixture
def lock(tmp_path):
    """Function from an item to its lock file."""
    return lambda item: tmp_path / "runs" / f".{item}.lock"


def test_alone_the_order_is_kept(lock):
    done = []
    share("cab", done.append, lock)
    assert done == ["c", "a", "b"]


def test_each_is_worked_on_once_and_all_wait_for_the_last(lock):
    done = {}

    def worker(name):
        def work(item):
            if item not in done:
                time.sleep(0.05)
                done.setdefault(item, []).append(name)

        start.wait()
        share("abcdef", work, lock)
        ends.append(dict(done))

    ends, start = [], threading.Barrier(2, timeout=60)
    threads = [threading.Thread(target=worker, args=[n]) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list("abcdef")
    assert all(len(names) == 1 for names in done.values())
    assert {name for (name,) in done.values()} == {1, 2}
    assert [sorted(end) for end in ends] == [list("abcdef")] * 2


def test_what_a_killed_process_leaves_is_taken_over(lock):
    lock("b").parent.mkdir()
    program = (
        "import sys, time\n"
        "from keras_isample.volumes.lock import held\n"
        "with held(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, lock("b")]
    done, said = [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"

        def say(line):
            said.append(line)
            other.kill()

        share("abc", done.append, lock, say=say)
    assert done == ["a", "c", "b"]
    assert said == ["waiting for another process, at work on 1"]


def test_without_locks_it_is_said_that_nothing_is_shared(lock, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    done, said = [], []
    share("ab", done.append, lock, say=said.append)
    assert done == ["a", "b"]
    assert len(said) == 1 and "has no file locks" in said[0]


def test_errors_of_the_work_are_passed_on(lock, tmp_path):
    def work(item):
        raise Busy(tmp_path, "is in use", "Wait")

    with pytest.raises(Busy):
        share("a", work, lock)
    assert not lock("a").exists()
