"""Rows that are redrawn on a terminal."""

import io

import pytest

from keras_isample.progress import LineReporter
from keras_isample.progress import Phase
from keras_isample.progress import Reporter
from keras_isample.progress import TerminalReporter
from keras_isample.progress.terminal import reporter_for
from keras_isample.progress.terminal import row_text
from keras_isample.progress.terminal import width_of


@pytest.fixture
def reporter(screen, clock):
    return TerminalReporter(
        screen, width=lambda: screen.width, clock=clock, beat=None
    )


def test_one_row_shows_the_newest_state(reporter, screen, clock):
    with reporter.phase("error maps", 4, item="case") as phase:
        for done in (1, 2):
            clock.step(10)
            phase(done)
        assert screen.rows == [
            "error maps: case 3 of 4  [############............]  0:20 left"
        ]
    assert screen.rows == []


def test_lines_go_above_it(reporter, screen, clock):
    with reporter.phase("epoch 2/2", 10) as phase:
        reporter.say("epoch 1/2  loss 0.5")
        clock.step(1)
        phase(5)
        with reporter.paused():
            screen.write("a warning\n")
        assert screen.rows[:2] == ["epoch 1/2  loss 0.5", "a warning"]
        assert screen.rows[2].startswith("epoch 2/2: 5 of 10")
        assert len(screen.rows) == 3
    assert screen.rows == ["epoch 1/2  loss 0.5", "a warning"]


def test_without_a_count_the_time_runs(reporter, screen, clock):
    with reporter.phase("building the network"):
        clock.step(45)
        reporter.tick()
        assert screen.rows == ["building the network  0:45"]


def test_a_notice_is_a_line_that_stays(reporter, screen, clock):
    with reporter.phase("building", notice="building (half a minute)"):
        assert screen.rows == ["building (half a minute)", "building  0:00"]
    assert screen.rows == ["building (half a minute)"]


def test_the_outer_phase_comes_back(reporter, screen):
    with reporter.phase("outer"):
        with reporter.phase("inner"):
            assert screen.rows == ["inner  0:00"]
        assert screen.rows == ["outer  0:00"]


def test_it_is_not_drawn_more_often_than_can_be_seen(reporter, screen, clock):
    writes = []
    screen.write = writes.append
    with reporter.phase("preparing scans", 1000) as phase:
        for done in range(1000):
            clock.step(0.001)
            phase(done)
    assert len(writes) < 20


@pytest.mark.parametrize("width", [2, 10, 30, 50, 200])
def test_a_row_fits_into_any_terminal(reporter, screen, clock, width):
    screen.width = width
    with reporter.phase("error maps", 16, item="case") as phase:
        for done in range(1, 101):
            clock.step(1)
            phase.within(done, 100)
            reporter.tick()
            (row,) = screen.lines
            assert 0 < len(row) < width
    assert screen.rows == []


@pytest.mark.parametrize("widths", [(80, 30, 80), (80, 40, 20, 11, 60)])
def test_nothing_is_left_of_rows_in_a_terminal_of_another_size(
    reporter, screen, clock, widths
):
    with reporter.phase("error maps", 4, item="case") as phase:
        clock.step(10)
        phase.within(1, 2)
        for width in widths:
            screen.resize(width)
            clock.step(1)
            reporter.tick()
            assert len(screen.rows) == 1
            assert screen.rows[0].startswith("error map")
    assert screen.rows == []


def test_several_rows_are_redrawn_in_place(reporter, screen, clock):
    class Table(Phase):
        count = 3

        def rows(self, now):
            return [(f"row {i}", None, []) for i in range(self.count)]

    with Table(reporter, "") as phase:
        assert screen.rows == ["row 0", "row 1", "row 2"]
        phase.count = 2
        clock.step(1)
        reporter.tick()
        assert screen.rows == ["row 0", "row 1"]
        reporter.say("a line")
        assert screen.rows == ["a line", "row 0", "row 1"]
    assert screen.rows == ["a line"]


def test_there_is_no_color(reporter, screen, clock):
    text = []
    write = screen.write
    screen.write = lambda part: (text.append(part), write(part))
    with reporter.phase("x", 2) as phase:
        clock.step(1)
        phase(1)
    assert "\x1b[" in "".join(text)
    # Of escape sequences that end with an m.
    assert "m" not in "".join(text)


@pytest.mark.parametrize(
    "width, text",
    [
        (60, "head  [############............]  loss 1  2 steps/s  1:00"),
        (43, "head  [#####.....]  loss 1  2 steps/s  1:00"),
        (33, "head  loss 1  2 steps/s  1:00"),
        (22, "head  loss 1  1:00"),
        (12, "head  1:00"),
        (5, "head"),
        (3, "hea"),
        (0, ""),
        (-1, ""),
    ],
)
def test_what_has_no_room_is_left_out(width, text):
    row = row_text("head", 0.5, ["loss 1", "2 steps/s", "1:00"], width)
    assert row == text


def test_width_of_what_is_no_terminal():
    assert width_of(io.StringIO()) == 80


@pytest.mark.parametrize(
    "term, kind",
    [
        ("xterm-256color", TerminalReporter),
        ("dumb", LineReporter),
        ("", LineReporter),
    ],
)
def test_terminals_that_cannot_redraw_get_lines(screen, term, kind):
    reporter = reporter_for(screen, environment={"TERM": term})
    assert type(reporter) is kind


def test_files_get_lines():
    environment = {"TERM": "xterm"}
    reporter = reporter_for(io.StringIO(), environment=environment)
    assert type(reporter) is LineReporter


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream, quiet",
    [(io.StringIO(), True), (None, False), (closed(), False)],
)
def test_quiet_and_closed_streams_get_nothing(stream, quiet):
    assert type(reporter_for(stream, quiet=quiet)) is Reporter
