"""The data term of the loss as a metric."""

import keras
import numpy as np
import pytest

from keras_isample.losses import CrossEntropy
from keras_isample.metrics import MeanLoss


def test_mean_is_over_all_examples():
    metric = MeanLoss(CrossEntropy())
    metric.update_state(np.array([[0], [1]]), np.array([[[0.5, 0.5]]] * 2))
    metric.update_state(np.array([[0]]), np.array([[[0.25, 0.75]]]))
    expected = (2 * np.log(2) + np.log(4)) / 3
    assert float(metric.result()) == pytest.approx(expected)


def test_metric_is_saved_with_its_loss():
    metric = MeanLoss(CrossEntropy(ignore_label=7))
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert isinstance(again, MeanLoss)
    assert again.loss.ignore_label == 7
    assert again.name == "data_loss"
