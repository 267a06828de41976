"""Loading Keras and TensorFlow, which takes seconds."""

import contextlib
import logging

from keras_isample.commands.quiet_import import quiet_import
from keras_isample.progress import SILENT


@contextlib.contextmanager
def loading_keras(reporter=SILENT):
    """Drops what they write about themselves, without --verbose.

    Args:
        reporter: Shows that they are being loaded.
    """
    quiet = not logging.getLogger().isEnabledFor(logging.INFO)
    with reporter.phase("loading TensorFlow"), quiet_import(quiet):
        yield
