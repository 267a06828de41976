"""What many tests need."""

from pathlib import Path

import numpy as np
import pytest

from keras_isample.data.class_index import index_classes
from keras_isample.data.preparation import PreparedCase
from keras_isample.data.preparation import box_means


@pytest.fixture
def shared_data():
    """The folder of real scans beside the checkout; skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real scans in {folder}")
    return folder


@pytest.fixture
def make_case(tmp_path):
    """Function that writes a `PreparedCase` from a label map."""

    def make(label_map, image=None, *, num_classes=None, name="case"):
        label_map = np.asarray(label_map, np.uint8)
        if image is None:
            image = np.zeros(label_map.shape, np.int16)
        image = np.asarray(image, np.int16)
        folder = tmp_path / name
        folder.mkdir()
        positions, counts = index_classes(
            label_map, num_classes or int(label_map.max()) + 1
        )
        np.save(folder / "image.npy", image[None])
        np.save(folder / "context.npy", box_means(image, -1000, 3)[None])
        np.save(folder / "labels.npy", label_map)
        np.save(folder / "positions.npy", positions)
        return PreparedCase(
            name=name,
            folder=folder,
            shape=label_map.shape,
            spacing=(1.0, 1.0, 1.5),
            counts=tuple(int(n) for n in counts),
            missing=(),
            scales=(1 / 218,),
            offsets=(0.0,),
            outside=(-1000,),
            affine=tuple(map(tuple, np.diag([1.0, 1.0, 1.5, 1.0]))),
        )

    return make
