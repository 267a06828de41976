"""Losses, written in `keras.ops`."""

from keras_isample.losses.adapted import AdaptedLoss
from keras_isample.losses.boundary_cross_entropy import BoundaryCrossEntropy
from keras_isample.losses.class_weights import effective_number_weights
from keras_isample.losses.class_weights import median_frequency_weights
from keras_isample.losses.cross_entropy import CrossEntropy
from keras_isample.losses.dice import Dice
from keras_isample.losses.focal import Focal
from keras_isample.losses.named import make_loss
from keras_isample.losses.scheduled import ScheduledLoss
from keras_isample.losses.weighted_sum import CEDice
from keras_isample.losses.weighted_sum import DiceFocal
from keras_isample.losses.weighted_sum import WeightedSum
from keras_isample.registries import register_loss

__all__ = [
    "AdaptedLoss",
    "BoundaryCrossEntropy",
    "CEDice",
    "CrossEntropy",
    "Dice",
    "DiceFocal",
    "Focal",
    "ScheduledLoss",
    "WeightedSum",
    "effective_number_weights",
    "make_loss",
    "median_frequency_weights",
    "register_loss",
]
