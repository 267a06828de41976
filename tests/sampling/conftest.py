"""What the tests of sampling share."""

import numpy as np
import pytest

from keras_isample.sampling.error_maps import ErrorMap


@pytest.fixture
def set_error_map():
    """Function that makes `levels` (bytes) the newest error map of a case."""

    def set_error_map(error_maps, index, levels, version=1):
        writer = error_maps.writer(index, version, (0, version))
        levels = np.asarray(levels, np.uint8)
        labels = error_maps.cases[index].labels().astype(np.int64)
        writer.array[:] = levels
        writer.array.flush()
        histogram = np.zeros_like(writer.histogram)
        np.add.at(histogram, (labels, writer.array.astype(np.int64)), 1)
        error_maps.replace(index, ErrorMap(writer.path, histogram, version))

    return set_error_map
