"""Progress on stderr, and what else goes to the same terminal."""

import contextlib
import logging
import sys

import click

from keras_isample.cli.interruption import interruption
from keras_isample.cli.streams import copy_of
from keras_isample.progress import SILENT
from keras_isample.progress import reporter_for

_reporters = [SILENT]
"""The last one is in use."""


@contextlib.contextmanager
def shown_progress(quiet):
    """The `Reporter` of a command, which ends with the block.

    Whenever work has come further, a forgotten interruption is noticed.

    Args:
        quiet: Whether nothing is shown.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_own_stream(sys.stderr))
        reporter = stack.enter_context(
            reporter_for(stream, quiet=quiet, check=interruption.check)
        )
        _reporters.append(reporter)
        stack.callback(_reporters.remove, reporter)
        yield reporter


def echo(text, **options):
    """`click.echo`, above what is redrawn."""
    with _reporters[-1].paused():
        click.echo(text, **options)


class LogLines(logging.StreamHandler):
    """Writes the lines of the log above what is redrawn."""

    def emit(self, record):
        with _reporters[-1].paused():
            super().emit(record)


@contextlib.contextmanager
def _own_stream(stream):
    """A stream to the same file, which stays while stderr is held back."""
    try:
        own = copy_of(stream)
    except (AttributeError, OSError, ValueError):
        yield stream
        return
    with own:
        yield own
