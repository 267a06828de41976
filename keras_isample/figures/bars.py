"""Bars in groups, such as the Dice of each class in each way of training."""

from dataclasses import dataclass

import numpy as np

from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import new_figure
from keras_isample.figures.canvas import write_png


@dataclass(frozen=True)
class Bars:
    """The bars of one color.

    Args:
        label: Its name in the legend.
        heights: One a group, nan where there is none.
        spreads: Half the length of each bar's whisker; none if `None`.
    """

    label: str
    heights: list[float]
    spreads: list[float] | None = None


def draw_bars(path, groups, series, *, title, quantity, limits=None, log=False):
    """Writes a PNG of groups of bars.

    Args:
        path: The file.
        groups: Names below the groups.
        series: `Bars`, one bar of each in every group.
        title: What is above the figure.
        quantity: What the vertical axis shows.
        limits: Lowest and highest value shown; what fits if `None`.
        log: Whether the vertical axis is logarithmic.
    """
    figure = new_figure(max(6.0, 0.26 * len(groups) * len(series) + 2), 4.2)
    axes = figure.subplots()
    width = 0.8 / max(1, len(series))
    places = np.arange(len(groups))
    for number, bars in enumerate(series):
        axes.bar(
            places + (number - (len(series) - 1) / 2) * width,
            bars.heights,
            width,
            yerr=bars.spreads,
            label=bars.label,
            color=COLORS[number % len(COLORS)],
            error_kw={"elinewidth": 0.8},
        )
    axes.set_xticks(places, groups)
    if max(map(len, groups), default=0) * len(groups) > 60:
        axes.tick_params(axis="x", labelrotation=60)
        for text in axes.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")
    axes.set_title(title)
    axes.set_ylabel(quantity)
    if log:
        axes.set_yscale("log")
    if limits:
        axes.set_ylim(*limits)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    write_png(figure, path)
