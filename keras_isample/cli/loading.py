"""Loading Keras and TensorFlow, which takes seconds."""

import logging

from keras_isample.commands.quiet_import import quiet_import


def loading_keras():
    """Drops what they write about themselves, without --verbose."""
    return quiet_import(not logging.getLogger().isEnabledFor(logging.INFO))
