"""What is told of a population."""

import io

import pytest

from keras_isample.progress import LineReporter
from keras_isample.training.population_progress import PopulationProgress
from keras_isample.training.population_progress import population_table


def row(epoch, dice=0.5):
    return {
        "epoch": float(epoch),
        "learning_rate": 0.05,
        "loss": 0.25,
        "val_dice": dice,
    }


def lines(reporter):
    """All lines but the first, which says that networks are built."""
    first, *others = reporter._stream.getvalue().splitlines()
    assert first.startswith("members build their network")
    return others


@pytest.fixture
def reporter(clock):
    return LineReporter(io.StringIO(), clock=clock, beat=None)


@pytest.fixture
def lines_of(reporter):
    def lines_of(*calls):
        with PopulationProgress(reporter) as progress:
            for members in calls:
                progress(members, {})
        return lines(reporter)

    return lines_of


def test_each_epoch_of_each_member_is_one_line(lines_of):
    lines = lines_of(
        {0: [row(1)], 1: []},
        {0: [row(1)], 1: [row(1)]},
        {0: [row(1), row(2)], 1: [row(1)]},
    )
    assert lines == [
        "member 1  epoch 1  rate 0.05  loss 0.2500  Dice 0.5000",
        "member 2  epoch 1  rate 0.05  loss 0.2500  Dice 0.5000",
        "member 1  epoch 2  rate 0.05  loss 0.2500  Dice 0.5000",
    ]


def test_next_period_is_told_too(lines_of):
    lines = lines_of({0: [row(1), row(2)]}, {0: []}, {0: [row(3)]})
    assert [line.split("  ")[1] for line in lines] == [
        "epoch 1",
        "epoch 2",
        "epoch 3",
    ]


def test_what_is_not_known_is_not_told(lines_of):
    (line,) = lines_of({0: [row(1, float("nan"))]})
    assert "Dice" not in line


def test_what_members_are_doing_is_told_every_half_minute(reporter, clock):
    with PopulationProgress(reporter) as progress:
        for second in range(70):
            clock.step(1)
            doing = {1: f"epoch 1/2  step {second}/99", 2: "waiting"}
            progress({0: [], 1: [], 2: []}, doing)
    assert lines(reporter) == [
        "member 2  epoch 1/2  step 26/99",
        "member 3  waiting",
        "member 2  epoch 1/2  step 53/99",
        "member 3  waiting",
    ]


def test_before_anything_is_known_it_is_told_that_it_goes_on(reporter, clock):
    with PopulationProgress(reporter):
        clock.step(30)
        reporter.tick()
    assert lines(reporter) == ["still training a population, 0:30"]


def test_table_has_a_row_for_each_member():
    lines = population_table(
        {0: [row(1, 0.7), row(2, 0.6)], 1: []}, {1: "starting, 0:03 so far"}
    )
    assert lines[0].split() == "member epoch rate loss Dice best".split()
    assert lines[1].split() == "1 2 0.05 0.2500 0.6000 0.7000".split()
    assert lines[2].split()[:6] == ["2", "-", "-", "-", "-", "-"]
    assert lines[2].endswith("  starting, 0:03 so far")


def test_terminal_gets_the_table(reporter, clock):
    with PopulationProgress(reporter) as progress:
        assert progress.rows(clock()) == [
            ("training a population", None, ["0:00"])
        ]
        progress({0: [row(1)]}, {})
        assert progress.rows(clock()) == [
            ("member  epoch  rate    loss    Dice    best", None, []),
            ("     1      1  0.05  0.2500  0.5000  0.5000", None, []),
        ]
