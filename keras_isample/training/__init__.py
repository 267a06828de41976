"""One run, or a population of them, from settings to files."""

from keras_isample.registries import register_executor
from keras_isample.training.autolr import AutoLR
from keras_isample.training.genetic import TruncationSelection
from keras_isample.training.genetic import WinnerTakesAll
from keras_isample.training.optimizers import SGD
from keras_isample.training.optimizers import sgd
from keras_isample.training.run import FitResult
from keras_isample.training.run import fit

__all__ = [
    "AutoLR",
    "FitResult",
    "SGD",
    "TruncationSelection",
    "WinnerTakesAll",
    "fit",
    "register_executor",
    "sgd",
]
