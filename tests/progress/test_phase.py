"""What is said of a piece of work."""

import pytest

from keras_isample.progress import Phase
from keras_isample.progress import Reporter


@pytest.fixture
def reporter(clock):
    return Reporter(clock=clock)


@pytest.mark.parametrize(
    "options, done, text",
    [
        ({}, 5, "preparing scans: 5 of 24"),
        ({"item": "case"}, 5, "preparing scans: case 6 of 24"),
        ({"item": "case"}, 24, "preparing scans: 24 of 24"),
    ],
)
def test_items_are_counted(reporter, options, done, text):
    with reporter.phase("preparing scans", **options) as phase:
        phase(done, 24)
        assert phase.head() == text


def test_the_share_of_an_item_is_told_until_it_is_done(reporter):
    with reporter.phase("error maps", 16, item="case") as phase:
        phase(2)
        assert phase.head() == "error maps: case 3 of 16"
        phase.within(4, 10)
        assert phase.head() == "error maps: case 3 of 16, 40 % of its voxels"
        phase(3)
        assert phase.head() == "error maps: case 4 of 16"


def test_without_a_number_of_items_the_time_is_told(reporter, clock):
    with reporter.phase("building the network") as phase:
        clock.step(45)
        assert phase.line(clock()) == "still building the network, 0:45"


def test_time_left_is_that_of_the_items_left(reporter, clock):
    with reporter.phase("segmenting", 4, item="case") as phase:
        clock.step(10)
        phase(1)
        assert phase.line(clock()) == "segmenting: case 2 of 4  0:30 left"
        clock.step(5)
        phase.within(1, 2)
        # 15 seconds for 1.5 cases, and 2.5 are left.
        assert phase.seconds_left(clock()) == 25.0
        clock.step(5)
        assert phase.seconds_left(clock()) == 20.0


def test_time_left_does_not_fall_below_nothing(reporter, clock):
    with reporter.phase("segmenting", 2) as phase:
        clock.step(1)
        phase(1)
        clock.step(100)
        assert phase.seconds_left(clock()) == 0.0


def test_what_has_not_moved_since_the_last_line_is_told_with_the_time(
    reporter, clock
):
    with reporter.phase("error maps", 3, item="case") as phase:
        assert phase.line(clock()) == "error maps: case 1 of 3"
        phase.told()
        clock.step(64)
        assert phase.line(clock()) == "error maps: case 1 of 3, 1:04 so far"
        phase.within(1, 2)
        assert phase.line(clock()).startswith(
            "error maps: case 1 of 3, 50 % of its voxels"
        )


def test_another_function_of_done_and_total_is_called_too(reporter):
    calls = []
    with reporter.phase("x", also=lambda *call: calls.append(call)) as phase:
        phase(1, 3)
        phase(2, 3)
        phase.within(1, 2)
    assert calls == [(1, 3), (2, 3)]


def test_a_number_of_no_voxels_is_a_whole_item(reporter):
    with reporter.phase("x", 1, item="case") as phase:
        phase.within(0, 0)
        assert phase.position == 1.0


def test_an_interruption_is_noticed_at_every_update(clock):
    def stop():
        raise KeyboardInterrupt

    phase = Phase(Reporter(clock=clock, check=stop), "error maps", 3)
    for update in (lambda: phase(1), lambda: phase.within(1, 9)):
        with pytest.raises(KeyboardInterrupt):
            update()
