"""What is told how far work has come; this one shows nothing."""

import contextlib
import time

from keras_isample.progress.phase import Phase


class Reporter:
    """Shows nothing; the base of those that do.

    Where no reporter is given, the library uses `SILENT`.

    Args:
        clock: Function that returns seconds.
        check: Called whenever work has come further, in the thread that
            works. An exception that it raises stops the work.
    """

    def __init__(self, *, clock=time.monotonic, check=None):
        self.clock = clock
        self._check = check

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def phase(self, title, total=None, **options):
        """A `Phase`, which begins with a `with` block or `begin`."""
        return Phase(self, title, total, **options)

    def say(self, text):
        """Shows a line that stays."""

    def tell(self, text):
        """Shows a line that stays, unless rows are redrawn that have it."""

    def expect(self, seconds):
        """Has a line come within so many seconds, if lines are shown."""

    @contextlib.contextmanager
    def paused(self):
        """A block that may write to the same terminal."""
        yield

    def begun(self, phase):
        """Called by a phase that begins."""

    def moved(self, phase):
        """Called by a phase that has come further."""
        if self._check is not None:
            self._check()

    def ended(self, phase):
        """Called by a phase that ends."""

    def close(self):
        """Ends all phases."""


SILENT = Reporter()
"""The reporter of the library, where none is given."""
