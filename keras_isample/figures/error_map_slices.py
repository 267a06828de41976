"""What a network gets wrong in one slice (isample papers, Fig. 3).

Axial slices are shown as radiologists look at them: from the feet, so that the
patient's right is on the left, the front above.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_isample.figures.canvas import COLORS
from keras_isample.figures.canvas import new_figure
from keras_isample.figures.canvas import write_png

_SIDE = 2.6

_DARK = 0.05
"""Share of the window below which a voxel of the scan shows nothing."""

_WRONG = 0.5
"""Late errors from here on are never cropped away."""

_MARGIN = 0.1
"""Of the larger side of what is shown, left on each side."""


@dataclass(frozen=True)
class ErrorMapRow:
    """One network's row of panels.

    Args:
        label: What stands beside the row.
        errors: Slices of E(x) in [0, 1], `(x, y)`, one a panel.
    """

    label: str
    errors: Sequence[np.ndarray]


def draw_error_map_slices(
    path, image, labels, rows, titles, *, window=None, aspect=1.0
):
    """Writes a PNG: raw scan, truth, then E early, late and so on.

    All error maps share one color scale, from 0 to 1. Air around the body is
    cropped, unless a network is wrong there in its last map.

    Args:
        path: The file.
        image: Slice of the scan, `(x, y)` in RAS+: x to the patient's right, y
            to the front.
        labels: Classes of the same voxels, 0 for background.
        rows: `ErrorMapRow`s.
        titles: One for each error map of a row.
        window: Intensities shown as black and as white; the 1st and 99th
            percentile if `None`.
        aspect: Height of a voxel by its width.
    """
    if window is None:
        window = tuple(np.percentile(image, (1, 99)))
    shown = _box_to_show(image, labels, rows, window, aspect)
    image, labels = image[shown], labels[shown]
    across, down = image.shape[0], image.shape[1] * aspect
    columns = 2 + len(titles)
    figure = new_figure(
        _SIDE * columns + 0.9, (_SIDE * down / across) * len(rows) + 0.4
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, row in zip(grid, rows, strict=True):
        _show_scan(axes_row[0], image, window, aspect)
        _show_scan(axes_row[1], image, window, aspect)
        axes_row[1].imshow(_overlay(labels), aspect=aspect)
        axes_row[0].set_ylabel(row.label)
        _mark_right(axes_row[0])
        for axes, error in zip(axes_row[2:], row.errors, strict=True):
            colored = axes.imshow(
                radiological(np.asarray(error)[shown]),
                cmap="inferno",
                vmin=0,
                vmax=1,
                aspect=aspect,
                interpolation="nearest",
            )
    for axes, title in zip(
        grid[0], ["raw scan", "truth", *titles], strict=True
    ):
        axes.set_title(title)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(colored, ax=grid[:, 2:], shrink=0.9, pad=0.02)
    bar.set_label("E(x) = 1 - p(true class)")
    write_png(figure, path)


def radiological(array):
    """Rows and columns to show from an axial slice `(x, y, ...)` in RAS+."""
    return np.swapaxes(np.asarray(array)[::-1, ::-1], 0, 1)


def _box_to_show(image, labels, rows, window, aspect):
    """Slices of the voxels that are not dark, labeled or wrong to the end."""
    black, white = window
    show = (image > black + _DARK * (white - black)) | (labels > 0)
    for row in rows:
        show = show | (np.asarray(row.errors[-1]) >= _WRONG)
    if not show.any():
        return slice(None), slice(None)
    sides = [np.flatnonzero(show.any(axis=axis)) for axis in (1, 0)]
    voxel = np.array([1.0, aspect])
    extents = [np.ptp(side) + 1 for side in sides] * voxel
    margins = _MARGIN * extents.max() / voxel
    return tuple(
        slice(max(0, side[0] - margin), side[-1] + 1 + margin)
        for side, margin in zip(
            sides, np.ceil(margins).astype(int), strict=True
        )
    )


def _show_scan(axes, image, window, aspect):
    axes.imshow(
        radiological(image),
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        aspect=aspect,
    )


def _mark_right(axes):
    axes.text(
        0.03, 0.5, "R", transform=axes.transAxes, color="white", va="center"
    )


def _overlay(labels):
    """Colors of the classes, RGBA, nothing where there is background."""
    from matplotlib.colors import to_rgba

    table = np.zeros((256, 4))
    for value in range(1, 256):
        table[value] = to_rgba(COLORS[value % len(COLORS)], 0.75)
    return table[radiological(labels)]
