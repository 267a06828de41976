"""A figure of its own, without pyplot's global state or a display."""

from keras_isample.volumes.files import written_whole

DOTS_PER_INCH = 150

COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
)
"""Okabe and Ito's, which color-blind readers can tell apart."""


def new_figure(width, height):
    """An empty matplotlib `Figure`; sides in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def make_logarithmic(axes):
    """Makes the y axis logarithmic, with plain numbers.

    At 1, 2 and 5, over more than three decades at 1 alone. To be called once
    everything is drawn.
    """
    from matplotlib.ticker import LogLocator
    from matplotlib.ticker import NullFormatter
    from matplotlib.ticker import StrMethodFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs = (1, 2, 5) if high <= 1e3 * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def write_png(figure, path):
    """Writes a figure, replacing an older file as a whole."""
    with written_whole(path) as beside:
        # Without its own date and version, so that equal figures are equal.
        figure.savefig(
            beside,
            dpi=DOTS_PER_INCH,
            format="png",
            metadata={"Software": None},
        )
