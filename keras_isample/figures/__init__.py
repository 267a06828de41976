"""Pictures of training, as PNG. Matplotlib is loaded when one is drawn."""

from keras_isample.figures.error_map_slices import ErrorMapRow
from keras_isample.figures.error_map_slices import draw_error_map_slices
from keras_isample.figures.training_curves import Curve
from keras_isample.figures.training_curves import Panel
from keras_isample.figures.training_curves import draw_training_curves

__all__ = [
    "Curve",
    "ErrorMapRow",
    "Panel",
    "draw_error_map_slices",
    "draw_training_curves",
]
