"""keras-isample: sparse 3D medical segmentation with Keras 3.

>>> import keras_isample as ki
>>> cohort = ki.data.read_cohort("visceral/", labels=["kidney"])

The command line answers `--help` without Keras: only for it are the packages
not imported here but when first used. Everyone else gets them at once, so that
Keras knows the classes in a saved model.
"""

import importlib as _importlib
import os as _os
import sys as _sys

from keras_isample.errors import InputError
from keras_isample.processor import switch_on_onednn as _switch_on_onednn
from keras_isample.version import __version__

_switch_on_onednn()

__all__ = [
    "InputError",
    "__version__",
    "callbacks",
    "config",
    "data",
    "experiments",
    "figures",
    "inference",
    "losses",
    "metrics",
    "models",
    "progress",
    "registries",
    "sampling",
    "training",
    "volumes",
]


def __getattr__(name):
    if name in __all__:
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _is_command_line():
    """Whether the program is `keras-isample` or `python -m keras_isample`."""
    program = (getattr(_sys, "argv", None) or [""])[0]
    if program != "-m":
        return _os.path.basename(program) == "keras-isample"
    # What the interpreter puts there while it looks for the module.
    words = iter(_sys.orig_argv[1:])
    for word in words:
        if word[:2] in ("-X", "-W"):
            if len(word) == 2:
                next(words, None)
        elif word[:1] == "-" and word[1:2] != "-" and "m" in word:
            module = word.partition("m")[2] or next(words, "")
            return module.partition(".")[0] == __name__
    return False


if not _is_command_line():
    from keras_isample import callbacks
    from keras_isample import config
    from keras_isample import data
    from keras_isample import experiments
    from keras_isample import figures
    from keras_isample import inference
    from keras_isample import losses
    from keras_isample import metrics
    from keras_isample import models
    from keras_isample import progress
    from keras_isample import registries
    from keras_isample import sampling
    from keras_isample import training
    from keras_isample import volumes
