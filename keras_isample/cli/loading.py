"""Loading Keras and TensorFlow, which takes seconds.

What a user has set for other programs, in `keras.json` or `KERAS_BACKEND`, must
not get in the way.
"""

import contextlib
import importlib.util
import logging
import os
import resource
from pathlib import Path

from keras_isample.commands.quiet_import import quiet_import
from keras_isample.errors import InputError
from keras_isample.errors import reason_of_no_memory
from keras_isample.progress import SILENT

log = logging.getLogger(__name__)

_ABLE = ("jax", "torch")
"""Backends other than TensorFlow that predict."""

_LEAST = 2_500_000_000
"""Bytes of address space that TensorFlow takes on two cores. With fewer it
aborts: threads cannot be started."""

_LEAST_TRAINING = 3_000_000_000
"""Bytes of address space that the smallest training takes."""


@contextlib.contextmanager
def loading_keras(reporter=SILENT, *, training=False):
    """Loads Keras, and drops what the block's imports write about themselves.

    With `--verbose` that is shown.

    Args:
        reporter: Shows that they are being loaded.
        training: Whether networks are trained, which needs TensorFlow.

    Raises:
        InputError: If Keras or TensorFlow cannot be loaded.
    """
    _choose_backend(training)
    _check_address_space(_LEAST_TRAINING if training else _LEAST)
    quiet = not log.isEnabledFor(logging.INFO)
    with reporter.phase("loading TensorFlow"), quiet_import(quiet):
        _import_keras()
        yield


def _import_keras():
    try:
        import keras  # noqa: F401
    except ImportError as error:
        raise _not_loaded(error) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            _keras_json(),
            f"Keras cannot start with its settings ({error})",
            "Correct or remove this file, and the variables KERAS_*",
        ) from error
    from keras_isample.models.keras_settings import set_keras

    set_keras()


def _keras_json():
    """Where Keras reads its settings from."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "keras.json"


def _choose_backend(training):
    """Sets the variable that wins over `keras.json`, for children too."""
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if wanted == "tensorflow":
        reason = None
    elif training:
        reason = "networks are trained with TensorFlow"
    elif wanted not in _ABLE:
        reason = "networks predict with TensorFlow, jax or torch"
    elif importlib.util.find_spec(wanted) is None:
        reason = f"{wanted} is not installed"
    else:
        return
    if reason:
        log.warning("KERAS_BACKEND=%s is not used: %s", wanted, reason)
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _check_address_space(least):
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise InputError(
            "memory",
            f"the limit of {limit / 1e9:.1f} GB (ulimit -v) is too little for "
            "TensorFlow",
            f"Allow {least / 1e9:.1f} GB and what the network needs",
        )


def _not_loaded(error):
    if reason_of_no_memory(error) is not None:
        return InputError(
            "memory",
            f"does not suffice to load TensorFlow ({error})",
            "Allow more memory (ulimit -v), or close other programs",
        )
    return InputError(
        error.name or "Keras",
        f"cannot be loaded ({error})",
        "Install keras-isample again, in an environment of its own",
    )
