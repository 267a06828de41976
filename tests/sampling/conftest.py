"""What the tests of sampling share."""

import numpy as np
import pytest
import tensorflow as tf

from keras_isample.sampling.error_maps import ErrorMap
from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.patches import PatchReader


@pytest.fixture
def set_error_map():
    """Function that makes `levels` (bytes) the newest error map of a case."""

    def set_error_map(error_maps, index, levels, version=1):
        writer = error_maps.writer(index, version, (0, version))
        levels = np.asarray(levels, np.uint8)
        case = error_maps.cases[index]
        labels = case.trained_labels(case.labels()).astype(np.int64)
        writer.array[:] = levels
        writer.array.flush()
        histogram = np.zeros([len(case.counts), 256], np.int64)
        np.add.at(histogram, (labels, writer.array.astype(np.int64)), 1)
        error_maps.replace(index, ErrorMap(writer.path, histogram, version))

    return set_error_map


@pytest.fixture(scope="session")
def read_patch():
    """Function that reads one patch of a case, as NumPy arrays.

    Without a matrix it is cut out, otherwise turned and interpolated. Returns
    the inputs of the geometry and the labels.
    """

    def read(case, geometry, center, matrix=None):
        reader = PatchReader(
            MappedCases([case]), geometry, augment=matrix is not None
        )
        if matrix is None:
            matrix = np.eye(3)
        inputs, labels = reader.read_batch(
            tf.constant([0], tf.int64),
            tf.constant([center], tf.int64),
            tf.constant([matrix], tf.float64),
        )
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        return [array[0].numpy() for array in (*inputs, labels)]

    return read
