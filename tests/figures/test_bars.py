"""Bars and boxes in groups."""

import numpy as np
import pytest
from matplotlib.container import BarContainer

from keras_isample.figures import bars
from keras_isample.figures import boxes
from keras_isample.figures import canvas
from keras_isample.figures.bars import Bars
from keras_isample.figures.bars import draw_bars
from keras_isample.figures.boxes import draw_boxes


@pytest.fixture
def shown(monkeypatch):
    """Function that gives the figure that was written last."""
    written = []

    def write(figure, path):
        written.append(figure)
        canvas.write_png(figure, path)

    for module in (bars, boxes):
        monkeypatch.setattr(module, "write_png", write)
    return lambda: written[-1]


def test_bars_are_as_high_as_told(tmp_path, shown):
    draw_bars(
        tmp_path / "bars.png",
        ["liver", "kidney"],
        [Bars("a", [0.5, np.nan]), Bars("b", [0.25, 1.0], [0.1, 0.0])],
        title="Dice",
        quantity="test Dice",
        limits=(0, 1),
    )
    (axes,) = shown().axes
    drawn = [
        [bar.get_height() for bar in container]
        for container in axes.containers
        if isinstance(container, BarContainer)
    ]
    assert np.allclose(drawn, [[0.5, np.nan], [0.25, 1.0]], equal_nan=True)
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == ["liver", "kidney"]
    assert (tmp_path / "bars.png").stat().st_size > 1000


def test_boxes_lie_at_the_medians(tmp_path, shown):
    draw_boxes(
        tmp_path / "boxes.png",
        ["liver"],
        {"before": [[0.1, 0.2, 0.9]], "after": [[0.8]]},
        title="Dice",
        quantity="test Dice",
    )
    (axes,) = shown().axes
    medians = {
        round(float(line.get_ydata()[0]), 6)
        for line in axes.lines
        if len(set(line.get_ydata())) == 1 and line.get_color() == "0.1"
    }
    assert medians == {0.2, 0.8}
