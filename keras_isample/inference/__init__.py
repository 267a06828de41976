"""Whole-scan inference, equal to one pass and bounded in memory."""

from keras_isample.inference.full_volume import predict_label_map
from keras_isample.inference.full_volume import predict_volume
from keras_isample.inference.predictor import predictor_for

__all__ = ["predict_label_map", "predict_volume", "predictor_for"]
