"""keras-isample: sparse 3D medical segmentation with Keras 3.

>>> import keras_isample as ki
>>> cohort = ki.data.read_cohort("visceral/", labels=["kidney"])

Packages are imported when they are first used, so that `import keras_isample`
takes no time and the command line answers `--help` without Keras. `load_model`
imports the classes that a saved model needs.
"""

import importlib as _importlib

from keras_isample.errors import InputError
from keras_isample.processor import switch_on_onednn as _switch_on_onednn
from keras_isample.version import __version__

# TensorFlow reads the switch when it is imported, which is later.
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
    "load_model",
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
    if name == "load_model":
        from keras_isample.models.loading import load_model

        return load_model
    if name in __all__:
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
