"""One run, from settings to the files it leaves."""

from keras_isample.training.optimizers import sgd
from keras_isample.training.run import FitResult
from keras_isample.training.run import fit

__all__ = ["FitResult", "fit", "sgd"]
