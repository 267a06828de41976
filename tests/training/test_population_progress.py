"""What is told of a population."""

import io

from rich.console import Console

from keras_isample.training.population_progress import PopulationProgress
from keras_isample.training.population_progress import population_table


def row(epoch, dice=0.5):
    return {
        "epoch": float(epoch),
        "learning_rate": 0.05,
        "loss": 0.25,
        "val_dice": dice,
    }


def lines_of(*calls):
    stream = io.StringIO()
    progress = PopulationProgress(stream)
    for members in calls:
        progress(members)
    return stream.getvalue().splitlines()


def test_each_epoch_of_each_member_is_one_line():
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


def test_next_period_is_told_too():
    lines = lines_of({0: [row(1), row(2)]}, {0: []}, {0: [row(3)]})
    assert [line.split("  ")[1] for line in lines] == [
        "epoch 1",
        "epoch 2",
        "epoch 3",
    ]


def test_what_is_not_known_is_not_told():
    (line,) = lines_of({0: [row(1, float("nan"))]})
    assert "Dice" not in line


def shown(members):
    console = Console(file=io.StringIO(), width=80)
    console.print(population_table(members))
    return console.file.getvalue().splitlines()


def test_table_has_a_row_for_each_member():
    lines = shown({0: [row(1, 0.7), row(2, 0.6)], 1: []})
    assert lines[0].split() == "member epoch rate loss Dice best".split()
    assert lines[1].split() == "1 2 0.05 0.2500 0.6000 0.7000".split()
    assert lines[2].split() == ["2", "-", "-", "-", "-", "-"]


def test_terminal_gets_one_table_redrawn_in_place():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with PopulationProgress(stream) as progress:
        for epoch in range(1, 4):
            progress({0: [row(e) for e in range(1, epoch + 1)]})
    text = stream.getvalue()
    # Up and clear, before it is drawn again.
    assert "\x1b[1A" in text
    assert text.count("best") >= 3
