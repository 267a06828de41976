"""The thread that shows that work goes on."""

import io
import threading

import pytest

from keras_isample.progress import LineReporter
from keras_isample.progress import Reporter
from keras_isample.progress.heartbeat import Heartbeat

LIMIT = 60


def test_the_heart_beats_until_it_is_stopped():
    beats = threading.Semaphore(0)
    heartbeat = Heartbeat(beats.release, 0.001)
    heartbeat.start()
    thread = heartbeat.thread
    for _ in range(3):
        assert beats.acquire(timeout=LIMIT)
    heartbeat.stop()
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_second_start_is_no_second_thread():
    heartbeat = Heartbeat(lambda: None, 100)
    heartbeat.start()
    thread = heartbeat.thread
    heartbeat.start()
    assert heartbeat.thread is thread
    heartbeat.stop()
    thread.join(LIMIT)


def test_a_stopped_heart_does_not_wait_for_its_next_beat():
    heartbeat = Heartbeat(lambda: None, 10_000)
    heartbeat.start()
    thread = heartbeat.thread
    heartbeat.stop()
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_line_comes_while_the_main_thread_is_busy(clock):
    said = threading.Event()

    class Stream(io.StringIO):
        def write(self, text):
            said.set()
            return super().write(text)

    stream = Stream()
    reporter = LineReporter(stream, clock=clock, beat=0.001)
    with reporter.phase("building the network"):
        clock.step(30)
        # As long a call as you like.
        assert said.wait(LIMIT)
    assert stream.getvalue() == "still building the network, 0:30\n"


def test_the_thread_lives_as_long_as_there_are_phases():
    reporter = LineReporter(io.StringIO(), beat=0.001)
    assert reporter._heartbeat.thread is None
    with reporter.phase("outer"):
        thread = reporter._heartbeat.thread
        with reporter.phase("inner"):
            assert reporter._heartbeat.thread is thread
        assert thread.is_alive()
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_phase_that_an_error_left_ends_with_the_reporter():
    with pytest.raises(ZeroDivisionError):
        with LineReporter(io.StringIO(), beat=0.001) as reporter:
            reporter.phase("never ended").begin()
            thread = reporter._heartbeat.thread
            raise ZeroDivisionError
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_the_silent_one_keeps_nothing(clock):
    reporter = Reporter(clock=clock)
    before = threading.active_count()
    with reporter.phase("x") as phase:
        phase(1, 2)
        assert threading.active_count() == before
