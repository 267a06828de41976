"""What tests of pictures need."""

import numpy as np
import pytest


@pytest.fixture
def read_png():
    """Function that reads a PNG as float `(rows, columns, 3)`."""
    from matplotlib.image import imread

    def read(path):
        return np.asarray(imread(path))[..., :3]

    return read


@pytest.fixture
def near():
    """Function that tells which pixels have nearly a color."""
    from matplotlib.colors import to_rgb

    def find(pixels, color, tolerance=0.02):
        return np.abs(pixels - to_rgb(color)).max(axis=-1) < tolerance

    return find
