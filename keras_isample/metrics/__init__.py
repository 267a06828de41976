"""Metrics of label maps, and their summary over cases."""

from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.mean_loss import MeanLoss
from keras_isample.metrics.patch_errors import PatchErrors
from keras_isample.metrics.summary import format_table
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary

__all__ = [
    "MeanLoss",
    "PatchErrors",
    "evaluate_labels",
    "format_table",
    "summarize",
    "write_summary",
]
