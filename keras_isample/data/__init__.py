"""Which files exist, what their labels mean, and their prepared arrays."""

from keras_isample.data.cohort import Case
from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.phantom import write_phantom
from keras_isample.data.phantom_brain import write_brain_phantom
from keras_isample.data.phantom_cardiac import write_cardiac_phantom
from keras_isample.data.preparation import PreparedCase
from keras_isample.data.preparation import prepare_cohort
from keras_isample.data.slice_axis import slice_axis
from keras_isample.registries import register_layout

__all__ = [
    "Case",
    "Cohort",
    "PreparedCase",
    "inspect_cohort",
    "prepare_cohort",
    "read_cohort",
    "register_layout",
    "slice_axis",
    "write_brain_phantom",
    "write_cardiac_phantom",
    "write_phantom",
]
