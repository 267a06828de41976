"""Progress on the last rows of a terminal."""

import contextlib
import os

from keras_isample.progress.lines import LineReporter
from keras_isample.progress.reporter import Reporter

_REDRAW = 0.1
"""Seconds between two drawings."""

_BAR = 24
"""Widest bar, in characters."""

_LEAST_BAR = 6

_DUMB = ("", "dumb", "unknown")
"""Values of TERM where nothing can be redrawn."""


class TerminalReporter(LineReporter):
    """Redraws rows with the newest phase, without any color.

    Lines that stay go above these rows. A row is never as wide as the
    terminal.

    Args:
        stream: The terminal.
        width: Function that returns the width of the terminal in characters.
        clock, check, beat: As of `ShowingReporter`.
    """

    def __init__(self, stream, *, width=None, **options):
        super().__init__(stream, **options)
        self._width = width or (lambda: width_of(stream))
        self._drawn = []
        self._next = 0.0

    def say(self, text):
        with self.paused():
            self.write(text + "\n")

    def tell(self, text):
        """Nothing: the rows have it."""

    @contextlib.contextmanager
    def paused(self):
        with self._lock:
            self._erase()
            yield
            if self.phases:
                self._draw(self.phases[-1])

    def show_begun(self, phase):
        if phase.notice:
            self.say(phase.notice)
        self._draw(phase)

    def show_ended(self):
        self._erase()
        if self.phases:
            self._draw(self.phases[-1])

    def show(self, phase):
        if self.clock() >= self._next:
            self._draw(phase)

    def _draw(self, phase):
        now, width = self.clock(), self._width()
        rows = [row_text(*row, width - 1) for row in phase.rows(now)]
        self.write(self._back(width) + "\n".join(rows))
        self._drawn = rows
        self._next = now + _REDRAW

    def _erase(self):
        if self._drawn:
            self.write(self._back(self._width()))
            self._drawn = []

    def _back(self, width):
        """Moves to the first of the rows drawn and erases from there on.

        A terminal that was made narrower has broken them.
        """
        if not self._drawn:
            return ""
        height = sum(max(1, -(-len(row) // width)) for row in self._drawn)
        up = f"\x1b[{height - 1}A" if height > 1 else ""
        return f"\r{up}\x1b[J"


def row_text(head, share, details, width):
    """A row that is not wider than a terminal.

    Args:
        head: Comes first, and is cut if even that is too long.
        share: Drawn as a bar if there is room; `None` for no bar.
        details: Further texts; where there is no room, the last one is the
            last to be left out.
        width: The most characters.
    """
    details = list(details)
    while details and len("  ".join([head, *details])) > width:
        details.pop(-2 if len(details) > 1 else 0)
    text = "  ".join([head, *details])
    room = min(_BAR, width - len(text) - 4)
    if share is not None and room >= _LEAST_BAR:
        full = int(room * min(1.0, share))
        bar = "[" + "#" * full + "." * (room - full) + "]"
        text = "  ".join([head, bar, *details])
    return text[: max(0, width)]


def width_of(stream):
    """Width of a terminal in characters, 80 if it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def reporter_for(stream, *, quiet=False, check=None, environment=os.environ):
    """The `Reporter` that fits a stream.

    Args:
        stream: Such as `sys.stderr`; nothing is shown if it is closed.
        quiet: Whether nothing is shown.
        check: As of `Reporter`.
        environment: Where `TERM` is looked up.
    """
    try:
        on_terminal = stream.isatty()
    except (AttributeError, ValueError):
        quiet, on_terminal = True, False
    if quiet:
        return Reporter(check=check)
    if on_terminal and environment.get("TERM", "") not in _DUMB:
        return TerminalReporter(stream, check=check)
    return LineReporter(stream, check=check)
