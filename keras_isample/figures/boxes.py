"""Box plots side by side, such as Dice before and after fine-tuning."""

import numpy as np

from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import new_figure
from keras_isample.figures.canvas import write_png


def draw_boxes(path, groups, series, *, title, quantity, limits=None):
    """Writes a PNG of boxes: quartiles, median, whiskers of 1.5 ranges.

    Args:
        path: The file.
        groups: Names below the groups.
        series: Dictionary from a label to a list of values for each group.
        title: What is above the figure.
        quantity: What the vertical axis shows.
        limits: Lowest and highest value shown; what fits if `None`.
    """
    figure = new_figure(max(6.0, 0.3 * len(groups) * len(series) + 2), 4.8)
    axes = figure.subplots()
    width = 0.8 / max(1, len(series))
    handles = []
    for number, values in enumerate(series.values()):
        color = COLORS[number % len(COLORS)]
        boxes = axes.boxplot(
            [np.asarray(v, float) for v in values],
            positions=np.arange(len(groups))
            + (number - (len(series) - 1) / 2) * width,
            widths=0.85 * width,
            patch_artist=True,
            manage_ticks=False,
            flierprops={"markersize": 2, "markeredgecolor": color},
            medianprops={"color": "0.1"},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=color, alpha=0.6, edgecolor=color)
        handles.append(boxes["boxes"][0])
    axes.set_xticks(
        range(len(groups)),
        groups,
        rotation=60 if len(groups) > 6 else 0,
        ha="right" if len(groups) > 6 else "center",
        rotation_mode="anchor",
    )
    axes.set_title(title)
    axes.set_ylabel(quantity)
    if limits:
        axes.set_ylim(*limits)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles,
        list(series),
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    write_png(figure, path)
