"""Models from `.keras` files, those of strangers too.

A file names classes, which Keras finds if they were imported before; here those
of this package are imported first. A `Lambda` layer is code that a file brings
along; a file with such a layer is refused before Keras opens it.
"""

import importlib
import json
import logging
import re
import zipfile
import zlib
from pathlib import Path

import keras

from keras_isample.errors import InputError

log = logging.getLogger(__name__)

MODEL_FILE = "model.keras"
"""The model in a run folder."""

_CURE = "Give a .keras file that fit wrote"

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What is raised for files of other kinds, and damaged ones."""

_COMPILED = (
    "keras_isample.losses",
    "keras_isample.metrics",
    "keras_isample.training.optimizers",
)
"""Modules of the classes that a compiled model names. They are imported when
such a model is loaded: `models` lies below them and needs none of them."""

_MOST_CONFIG = 1 << 28
"""Bytes of a configuration, which describes layers and holds no weights."""


def load_model(path, *, compile=True):
    """Loads a model of this package, ready to predict scans.

    Args:
        path: A run folder or a `.keras` file.
        compile: Whether the model is compiled as it was when it was saved, to
            be trained on.

    Returns:
        The model, with its `metadata`.

    Raises:
        InputError: If there is no model, it has a `Lambda` layer, or it was not
            made by this package.

    Example:
    >>> model = ki.load_model("runs/kidneys")
    >>> labels = ki.inference.predict_volume(model, volume)
    """
    path = model_file(path)
    if not path.is_file():
        raise InputError(
            path,
            "is no model",
            "Give a run folder whose first epoch has ended, or a .keras file",
        )
    try:
        model = load_keras_file(path, compile=compile)
    except InputError as error:
        if not compile:
            raise
        # A loss from elsewhere may not be known here; the network may.
        model = load_keras_file(path, compile=False)
        log.warning("loaded without its loss and optimizer: %s", error)
    if not getattr(model, "metadata", None):
        raise InputError(
            path, "is a Keras model, but not of this package", _CURE
        )
    return model


def model_file(path):
    """The model's file of a run folder; a file itself."""
    path = Path(path)
    return path / MODEL_FILE if path.is_dir() else path


def load_keras_file(path, *, compile=True):
    """Loads any Keras model without code of its own.

    Args:
        path: A `.keras` file.
        compile: As of `load_model`.

    Raises:
        InputError: If it cannot be loaded, or has a `Lambda` layer.
    """
    try:
        config = _read_config(path)
        lambdas = _lambda_names(config)
    except _UNREADABLE as error:
        raise _not_loaded(path, error) from error
    if lambdas:
        raise InputError(
            path,
            f"has a Lambda layer ({lambdas[0]}), which runs whatever code the "
            "file holds",
            "Use a model without Lambda layers, or write such a layer as a "
            "class of its own",
        )
    if compile:
        register_classes()
    try:
        return keras.saving.load_model(path, compile=compile)
    except _UNREADABLE as error:
        raise _not_loaded(path, error) from error


def register_classes():
    """Imports the classes that a compiled model of this package names."""
    for name in _COMPILED:
        importlib.import_module(name)


def _read_config(path):
    """What a `.keras` file says of its model, without making anything of it."""
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > _MOST_CONFIG:
            raise ValueError("its configuration is too large")
        return json.loads(archive.read("config.json"))


def _lambda_names(config):
    """Names of the Lambda layers in a configuration, at any depth."""
    found, left = [], [config]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left.extend(part)
        elif isinstance(part, dict):
            left.extend(part.values())
            if _is_lambda(part.get("class_name")):
                inner = part.get("config")
                named = isinstance(inner, dict) and inner.get("name")
                found.append(str(named or "without a name"))
    return found


def _is_lambda(class_name):
    # Keras looks up `layers.Lambda` of the module `keras`, too.
    name = str(class_name).rpartition(".")[2]
    return name in ("Lambda", "__lambda__")


def _not_loaded(path, error):
    # Keras says it after the whole configuration, of every layer around it.
    text = str(error)
    unknown = re.search(r"Could not locate (?:class|function) '\w+'", text)
    if unknown:
        reason = unknown[0]
        cure = "Import the module that registers it before"
    else:
        reason = re.split(r"\.\s|\n", text)[0][:200]
        cure = _CURE
    return InputError(path, f"cannot be loaded as a model ({reason})", cure)
