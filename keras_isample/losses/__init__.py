"""Losses, written in `keras.ops`."""

from keras_isample.losses.cross_entropy import CrossEntropy

__all__ = ["CrossEntropy"]
