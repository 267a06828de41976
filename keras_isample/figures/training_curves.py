"""Loss, Dice and the like against training steps (isample papers, Fig. 2)."""

import math
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import make_logarithmic
from keras_isample.figures.canvas import new_figure
from keras_isample.figures.canvas import write_png

_PANEL = (5.2, 3.9)
_LEGEND_ROW = 0.25  # Inches.
_MOST_INSIDE = 4
_LEGEND_COLUMNS = 3


@dataclass(frozen=True)
class Curve:
    """One line and the band around it.

    Args:
        label: Its name in the legend.
        steps: Training steps.
        mean: One value a step, nan where there is none.
        spread: Half of the band's height, one a step; no band if `None`. On a
            logarithmic axis the band reaches from the mean divided by
            exp(spread / mean) to the mean times that, which for small
            spreads is the same.
    """

    label: str
    steps: np.ndarray
    mean: np.ndarray
    spread: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        title: What is above it.
        quantity: What the vertical axis shows.
        curves: `Curve`s, in the same order in every panel of a figure.
        level: Height of a dotted line, if there is one.
        level_label: Its name in the legend.
        marked_steps: Steps whose points are marked on the curves.
        logarithmic: Whether the vertical axis is.
        limits: Lowest and highest value shown; what fits if `None`.
    """

    title: str
    quantity: str
    curves: list[Curve]
    level: float | None = None
    level_label: str = ""
    marked_steps: list[int] = field(default_factory=list)
    logarithmic: bool = False
    limits: tuple[float, float] | None = None


def draw_training_curves(path, panels):
    """Writes a PNG with one panel beside the other.

    A legend of many curves is below all panels, where it hides none of them.

    Args:
        path: The file.
        panels: `Panel`s.
    """
    width, height = _PANEL
    rows = _legend_rows(panels)
    figure = new_figure(width * len(panels), height + rows * _LEGEND_ROW)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw(axes, panel)
    if rows:
        _add_legend(figure, all_axes)
    else:
        for axes in all_axes:
            axes.legend(frameon=False)
    write_png(figure, path)


def _legend_rows(panels):
    """Of the legend below the panels; 0 if each has its own."""
    labels = [[curve.label for curve in panel.curves] for panel in panels]
    for panel, own in zip(panels, labels, strict=True):
        if panel.level is not None:
            own.append(panel.level_label)
    if max(map(len, labels)) <= _MOST_INSIDE:
        return 0
    return math.ceil(len(set().union(*labels)) / _LEGEND_COLUMNS)


def _add_legend(figure, all_axes):
    lines = {}
    for axes in all_axes:
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, line)
    figure.legend(
        lines.values(),
        lines.keys(),
        loc="outside lower center",
        ncols=_LEGEND_COLUMNS,
        frameon=False,
    )


def _draw(axes, panel):
    for color, curve in zip(_colors(panel.curves), panel.curves, strict=True):
        _draw_curve(axes, curve, color, panel)
    if panel.level is not None:
        axes.axhline(
            panel.level, color="0.35", linestyle=":", label=panel.level_label
        )
    axes.set_title(panel.title)
    axes.set_xlabel("training steps")
    axes.set_ylabel(panel.quantity)
    axes.set_xlim(left=0)
    if panel.logarithmic and _has_positive(panel.curves):
        make_logarithmic(axes)
    if panel.limits:
        axes.set_ylim(*panel.limits)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_curve(axes, curve, color, panel):
    steps, mean = np.asarray(curve.steps), np.asarray(curve.mean, float)
    known = ~np.isnan(mean)
    steps, mean = steps[known], mean[known]
    marked = np.isin(steps, panel.marked_steps)
    if len(steps) == 1:
        marked[:] = True  # A line of one point would not be seen.
    axes.plot(
        steps,
        mean,
        color=color,
        label=curve.label,
        marker="o" if marked.any() else None,
        markersize=5,
        markevery=marked,
    )
    if curve.spread is not None:
        spread = np.nan_to_num(np.asarray(curve.spread, float)[known])
        low, high = mean - spread, mean + spread
        if panel.logarithmic:
            positive = mean > 0
            factor = np.exp(spread[positive] / mean[positive])
            low[positive] = mean[positive] / factor
            high[positive] = mean[positive] * factor
        axes.fill_between(
            steps,
            low,
            high,
            color=color,
            alpha=0.2,
            linewidth=0,
        )


def _has_positive(curves):
    return any(np.any(np.asarray(curve.mean) > 0) for curve in curves)


def _colors(curves):
    return [COLORS[i % len(COLORS)] for i in range(len(curves))]
