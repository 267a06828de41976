"""Dice, rate, loss and noise scale of a population (AutoLR, Fig. 2 and 3)."""

import math

from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import make_logarithmic
from keras_isample.figures.canvas import new_figure
from keras_isample.figures.canvas import write_png

PANELS = (
    ("val_dice", "mean validation Dice", False),
    ("learning_rate", "learning rate", True),
    ("loss", "training loss", True),
    ("noise_scale", "noise scale (rate / batch)", True),
)
"""Column of the rows, what it is, and whether its axis is logarithmic."""

_PANEL = (5.2, 3.6)

_COLUMNS = 8


def draw_population(path, periods):
    """Writes a PNG: every member thin, those that won thick.

    Args:
        path: The file; its folder is made.
        periods: List of `(members, winner)`, a list with the rows of each
            member and the winner's number or `None`.
    """
    from matplotlib.ticker import MaxNLocator

    width, height = _PANEL
    figure = new_figure(2 * width, 2 * height)
    axes = figure.subplots(2, 2, sharex=True)
    for place, (key, title, logarithmic) in zip(axes.flat, PANELS, strict=True):
        _draw(place, periods, key, logarithmic)
        place.set_title(title)
    for place in axes[1]:
        place.set_xlabel("epochs")
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
    lines = _legend(periods)
    figure.legend(
        handles=lines,
        loc="outside upper center",
        ncols=min(len(lines), _COLUMNS),
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(figure, path)


def _draw(axes, periods, key, logarithmic):
    shown = []
    for members, winner in periods:
        for number, rows in enumerate(members):
            points = [
                (row["epoch"], row[key])
                for row in rows
                if row[key] is not None and math.isfinite(row[key])
            ]
            if not points:
                continue
            epochs, values = zip(*points, strict=True)
            shown += values
            won = number == winner
            axes.plot(
                epochs,
                values,
                color=_color(number),
                linewidth=2.2 if won else 1.0,
                alpha=1.0 if won else 0.6,
                marker="o" if len(points) == 1 else None,
                markersize=3,
            )
            if won:
                axes.plot(
                    epochs[-1:],
                    values[-1:],
                    color=_color(number),
                    marker="*",
                    markersize=10,
                )
    for end in _ends(periods)[:-1]:
        axes.axvline(end + 0.5, color="0.8", linestyle=":", zorder=0)
    if logarithmic and any(value > 0 for value in shown):
        make_logarithmic(axes)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _ends(periods):
    """Last epoch of each period."""
    return [
        max((rows[-1]["epoch"] for rows in members if rows), default=0)
        for members, _ in periods
    ]


def _legend(periods):
    from matplotlib.lines import Line2D

    count = max((len(members) for members, _ in periods), default=0)
    lines = [
        Line2D([], [], color=_color(number), label=f"member {number + 1}")
        for number in range(count)
    ]
    lines.append(
        Line2D([], [], color="0.3", marker="*", linewidth=2.2, label="winner")
    )
    return lines


def _color(number):
    return COLORS[number % len(COLORS)]
