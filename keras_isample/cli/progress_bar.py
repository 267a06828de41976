"""Progress of a list of cases."""

import sys

from keras_isample.cli.interruption import interruption


class ProgressBar:
    """A bar on a terminal, nothing elsewhere; gives `f(done, total)`.

    Between two cases a forgotten interruption is noticed.
    """

    def __init__(self, title, quiet):
        self.title = title
        self.shown = not quiet and sys.stderr.isatty()
        self.bar = self.task = None

    def __enter__(self):
        return self._update if self.shown else interruption.check

    def _update(self, done, total):
        interruption.check()
        if self.bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.title, total=total)
            self.bar.start()
        self.bar.update(self.task, completed=done)
        if done >= total:
            self.bar.stop()

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.stop()
