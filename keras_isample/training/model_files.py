"""Models that runs have left."""

import re
import zipfile
import zlib
from pathlib import Path

import keras

from keras_isample.errors import InputError
from keras_isample.training.run_folder import RunFolder

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Keras raises for files of other kinds, and damaged ones."""


def model_file(run):
    """The model of a run folder; a `.keras` file itself."""
    path = Path(run)
    return RunFolder(path).model_file if path.is_dir() else path


def load_model(run):
    """Loads the model of a run folder or of a `.keras` file.

    Raises:
        InputError: If there is none, or it was not made by this package.
    """
    path = model_file(run)
    if not path.is_file():
        raise InputError(
            path,
            "is no model",
            "Give a run folder whose first epoch has ended, or a .keras file",
        )
    try:
        model = keras.models.load_model(path, compile=False)
    except _UNREADABLE as error:
        reason = re.split(r"\.\s|\n", str(error))[0][:200]
        raise InputError(
            path,
            f"cannot be loaded as a model ({reason})",
            "Give a .keras file that fit wrote",
        ) from error
    if not getattr(model, "metadata", None):
        raise InputError(
            path,
            "is a Keras model, but not of this package",
            "Give a .keras file that fit wrote",
        )
    return model
