"""Curves are where the numbers say."""

import numpy as np
import pytest

from keras_isample.figures import Curve
from keras_isample.figures import Panel
from keras_isample.figures import draw_training_curves
from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import make_logarithmic
from keras_isample.figures.canvas import new_figure

STEPS = [10, 20, 30, 40]
LOW = Curve("low", STEPS, [0.1, 0.1, 0.1, 0.1])
HIGH = Curve("high", STEPS, [0.9, 0.9, 0.9, 0.9])


def draw(path, read_png, *panels):
    draw_training_curves(path, panels)
    return read_png(path)


def test_each_curve_is_drawn_at_its_height(tmp_path, read_png, near):
    panel = Panel("Title", "Dice", [LOW, HIGH], limits=(0, 1))
    pixels = draw(tmp_path / "x.png", read_png, panel)
    # A line as long as the axes, not a piece of the legend.
    heights = [
        int(near(pixels, color).sum(axis=1).argmax()) for color in COLORS[:2]
    ]
    lengths = [near(pixels, color).sum(axis=1).max() for color in COLORS[:2]]
    assert min(lengths) > 0.4 * pixels.shape[1]
    low, high = heights
    assert low - high > 0.6 * pixels.shape[0]


def test_band_is_as_wide_as_the_spread(tmp_path, read_png, near):
    middle = [0.5] * 4

    def rows_of_band(spread):
        curve = Curve("x", STEPS, middle, [spread] * 4)
        panel = Panel("", "", [curve], limits=(0, 1))
        pixels = draw(tmp_path / "x.png", read_png, panel)
        band = 0.2 * np.array(_rgb(COLORS[0])) + 0.8
        column = pixels.shape[1] // 2
        return near(pixels, band)[:, column].sum() / pixels.shape[0]

    # The axes take about four fifths of the height.
    narrow, wide = rows_of_band(0.1), rows_of_band(0.3)
    assert 0.1 < narrow < 0.2
    assert 0.4 < wide < 0.6


def test_band_on_a_logarithmic_axis_is_of_positive_values(
    tmp_path, read_png, near
):
    # Wider than its mean: its lower edge would be negative.
    curve = Curve("x", STEPS, [0.1] * 4, [0.2] * 4)
    panel = Panel("", "", [curve], logarithmic=True, limits=(1e-3, 10))
    pixels = draw(tmp_path / "x.png", read_png, panel)
    band = 0.2 * np.array(_rgb(COLORS[0])) + 0.8
    column = pixels.shape[1] // 2
    rows = np.flatnonzero(near(pixels, band)[:, column])
    middle = int(near(pixels, COLORS[0]).sum(axis=1).argmax())
    above, below = middle - rows.min(), rows.max() - middle
    assert abs(above - below) < 0.1 * above
    # Two times log10(exp(2)) of four decades.
    share = (above + below) / (0.8 * pixels.shape[0])
    assert 0.35 < share < 0.55


@pytest.mark.parametrize(
    "low, high, ticks", [(1, 30, [1, 2, 5, 10, 20]), (1e-6, 10, None)]
)
def test_logarithmic_axis_has_few_plain_numbers(low, high, ticks):
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([1, 2], [low, high])
    make_logarithmic(axes)
    figure.draw_without_rendering()
    first, last = axes.get_ylim()
    shown = [
        label.get_text()
        for label in axes.get_yticklabels()
        if first <= label.get_position()[1] <= last
    ]
    if ticks:
        assert shown == [f"{tick:g}" for tick in ticks]
    assert 3 <= len(shown) <= 9


def test_missing_values_are_no_points(tmp_path, read_png):
    gap = Curve("x", STEPS, [0.2, np.nan, np.nan, 0.8])
    straight = Curve("x", [10, 40], [0.2, 0.8])
    pictures = [
        draw(tmp_path / "x.png", read_png, Panel("", "", [curve]))
        for curve in (gap, straight)
    ]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize(
    "count, level, below", [(4, None, False), (4, 0.2, True), (6, None, True)]
)
def test_many_curves_have_their_legend_below(
    tmp_path, read_png, near, count, level, below
):
    curves = [Curve(f"curve {i}", STEPS, [0.5] * 4) for i in range(count)]
    panel = Panel("", "", curves, level, "level", limits=(0, 1))
    few = draw(tmp_path / "few.png", read_png, Panel("", "", [LOW]))
    pixels = draw(tmp_path / "x.png", read_png, panel, panel)
    assert (pixels.shape[0] > few.shape[0]) == below
    axes, added = np.split(pixels, [few.shape[0]])

    def seen(part):
        return [bool(near(part, color).any()) for color in COLORS[:count]]

    assert seen(added) == [below] * count
    # The last curve hides the others, which only a legend shows.
    assert seen(axes) == [not below] * (count - 1) + [True]


def test_a_single_point_is_seen(tmp_path, read_png, near):
    panel = Panel("", "", [Curve("x", [10], [0.2])], limits=(0, 1))
    pixels = draw(tmp_path / "x.png", read_png, panel)
    # Below the middle, where the legend is not.
    lower_half = pixels[pixels.shape[0] // 2 :]
    assert near(lower_half, COLORS[0]).sum() > 20


def test_nothing_known_draws_empty_axes(tmp_path, read_png, near):
    panel = Panel("", "", [Curve("x", [], [])], limits=(0, 1))
    pixels = draw(tmp_path / "x.png", read_png, panel)
    assert near(pixels, "black").sum() > 100


def test_logarithmic_axis_without_values_is_no_error(tmp_path, read_png):
    curves = [Curve("x", [], []), Curve("y", [1, 2], [np.nan, np.nan])]
    panel = Panel("", "", curves, logarithmic=True)
    assert draw(tmp_path / "x.png", read_png, panel).size


def test_logarithmic_axis_is(tmp_path, read_png, near):
    # 0.1 lies in the middle between 0.01 and 1.
    levels = [Curve(str(v), STEPS, [v] * 4) for v in (0.01, 0.1, 1.0)]
    panel = Panel("", "", levels, logarithmic=True)
    pixels = draw(tmp_path / "x.png", read_png, panel)
    heights = [near(pixels, c).sum(axis=1).argmax() for c in COLORS[:3]]
    assert abs((heights[0] + heights[2]) / 2 - heights[1]) < 3


def test_panels_are_beside_one_another(tmp_path, read_png):
    one = draw(tmp_path / "x.png", read_png, Panel("", "", [LOW]))
    two = draw(tmp_path / "x.png", read_png, *[Panel("", "", [LOW])] * 2)
    assert two.shape[0] == one.shape[0]
    assert two.shape[1] == 2 * one.shape[1]


def test_same_curves_make_the_same_file(tmp_path):
    panel = Panel("", "", [LOW, HIGH], level=0.5, level_label="half")
    for name in ("a", "b"):
        draw_training_curves(tmp_path / f"{name}.png", [panel])
    files = [(tmp_path / f"{n}.png").read_bytes() for n in "ab"]
    assert files[0] == files[1]


def _rgb(color):
    from matplotlib.colors import to_rgb

    return to_rgb(color)
