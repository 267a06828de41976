"""What the tests of sampling share."""

import numpy as np
import pytest
import tensorflow as tf

from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.patches import PatchReader


@pytest.fixture
def set_error_map():
    """Function that makes `levels` (bytes) the newest error map of a case."""

    def set_error_map(error_maps, index, levels, version=1):
        levels = np.asarray(levels).astype(np.uint8)
        tiles = [((0, 0, 0), levels)]
        error_maps.update(index, None, tiles, version=version, seed=0)

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
