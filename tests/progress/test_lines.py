"""Lines for files and pipes."""

import io

import pytest

from keras_isample.progress.lines import INTERVAL
from keras_isample.progress.lines import LineReporter


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def reporter(stream, clock):
    return LineReporter(stream, clock=clock, beat=None)


def lines(stream):
    return stream.getvalue().splitlines()


def test_half_a_minute_is_not_exceeded_by_late_looks():
    assert 20 <= INTERVAL < 29


def test_quick_work_is_not_told(reporter, stream, clock):
    with reporter.phase("preparing scans", 3) as phase:
        for done in (1, 2, 3):
            clock.step(5)
            phase(done)
    assert stream.getvalue() == ""


def test_long_work_is_told_every_half_minute(reporter, stream, clock):
    with reporter.phase("preparing scans", 20) as phase:
        for done in range(1, 21):
            clock.step(5)
            phase(done)
    assert [line.split("  ")[0] for line in lines(stream)] == [
        "preparing scans: 6 of 20",
        "preparing scans: 12 of 20",
        "preparing scans: 18 of 20",
    ]


def test_without_any_update_the_tick_tells_it(reporter, stream, clock):
    with reporter.phase("building the network"):
        for _ in range(60):
            clock.step(1)
            reporter.tick()
    assert lines(stream) == [
        "still building the network, 0:27",
        "still building the network, 0:54",
    ]


def test_any_line_puts_the_next_one_off(reporter, stream, clock):
    with reporter.phase("building the network"):
        clock.step(20)
        reporter.say("class weights")
        clock.step(20)
        reporter.tick()
        assert lines(stream) == ["class weights"]


def test_phases_together_are_told_every_half_minute(reporter, stream, clock):
    for number in range(10):
        with reporter.phase(f"phase {number}", 1) as phase:
            clock.step(10)
            phase(1)
    told = [line.split(":")[0] for line in lines(stream)]
    assert told == ["phase 2", "phase 5", "phase 8"]


def test_a_notice_comes_at_once(reporter, stream):
    with reporter.phase("building", notice="building (half a minute)"):
        assert lines(stream) == ["building (half a minute)"]


def test_the_innermost_phase_is_told(reporter, stream, clock):
    with reporter.phase("epoch 1/2", 10) as outer:
        with reporter.phase("error maps", 4, item="case"):
            clock.step(30)
            outer(10)
            reporter.tick()
        clock.step(30)
        reporter.tick()
    assert [line.split(":")[0] for line in lines(stream)] == [
        "error maps",
        "epoch 1/2",
    ]


def test_nothing_comes_after_the_end(reporter, stream, clock):
    with reporter.phase("building the network") as phase:
        pass
    clock.step(60)
    reporter.tick()
    phase(1, 2)
    with reporter:
        reporter.phase("never ended").begin()
    clock.step(60)
    reporter.tick()
    assert stream.getvalue() == ""


def test_the_end_of_a_phase_ends_those_within(reporter, stream, clock):
    with reporter.phase("outer"):
        reporter.phase("lost by an error").begin()
    assert reporter.phases == []


def test_a_line_can_be_asked_for_earlier(reporter, stream, clock):
    with reporter.phase("epoch 1/2", 100) as phase:
        reporter.expect(10)
        for done in range(1, 42):
            clock.step(1)
            phase(done)
    told = [line.split("  ")[0] for line in lines(stream)]
    assert told == ["epoch 1/2: 10 of 100", "epoch 1/2: 37 of 100"]


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_a_stream_that_nobody_reads_does_not_stop_the_work(clock, error):
    class Broken(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            raise error

    stream = Broken()
    reporter = LineReporter(stream, clock=clock, beat=None)
    reporter.say("one")
    reporter.say("two")
    assert stream.writes == 1
