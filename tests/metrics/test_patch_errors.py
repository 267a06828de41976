"""1 - p(true class) of every voxel of a batch."""

import keras
import numpy as np
import pytest

from keras_isample.losses import CrossEntropy
from keras_isample.metrics import PatchErrors


def errors(labels, p, **options):
    metric = PatchErrors(np.shape(labels), **options)
    metric.update_state(np.array(labels), np.array(p, "float32"))
    return keras.ops.convert_to_numpy(metric.errors.value)


def test_errors_are_one_minus_the_probability_of_the_true_class():
    metric = PatchErrors((1, 3))
    p = np.array([[[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]]])
    metric.update_state(np.array([[0, 0, 255]]), p)
    found = keras.ops.convert_to_numpy(metric.errors.value)
    np.testing.assert_allclose(found, [[0.1, 0.7, 1.0]], rtol=1e-5)
    assert float(metric.result()) == pytest.approx(0.6)


def test_background_of_a_case_is_right_together_with_its_merged_classes():
    p = [0.1, 0.2, 0.3, 0.4]
    sets = ((1, 3), (3,))
    # Of each set: background, class 2.
    labels = [[0, 2], [256, 258], [512, 514]]
    found = errors(labels, np.tile(p, (3, 2, 1)), merged_classes=sets)
    expected = [[0.9, 0.7], [0.3, 0.7], [0.5, 0.7]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_outside_of_the_scan_is_an_error_whatever_is_merged():
    p = [[[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]]
    found = errors([[255, 256]], p, merged_classes=((1, 2),))
    assert found.tolist() == [[1, 0]]


def test_volumes_and_a_compiled_model_agree():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), (2, 4, 3, 5)).astype("float32")
    labels = rng.choice([0, 1, 256, 257], (2, 4, 3, 5)).astype("int32")
    eager = errors(labels, p, merged_classes=((2,),))
    x = keras.Input((4, 3, 5, 3))
    model = keras.Model(x, keras.layers.Identity()(x))
    metric = PatchErrors((2, 4, 3, 5), merged_classes=((2,),))
    loss = CrossEntropy(merged_classes=((2,),))
    model.compile(loss=loss, metrics=[metric])
    model.evaluate(p, labels, batch_size=2, verbose=0)
    compiled = keras.ops.convert_to_numpy(metric.errors.value)
    np.testing.assert_allclose(compiled, eager, atol=1e-6)
    true = np.where(labels % 256 == 1, p[..., 1], p[..., 0])
    true += np.where(labels == 256, p[..., 2], 0)
    np.testing.assert_allclose(eager, 1 - true, atol=1e-6)


def test_configuration_round_trips():
    metric = PatchErrors((2, 4, 4, 4), merged_classes=((1, 3), (3,)))
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    assert again.batch_shape == (2, 4, 4, 4)
    assert again.merged_classes == ((1, 3), (3,))
