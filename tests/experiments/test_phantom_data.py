"""The phantom is drawn once."""

import pytest

from keras_isample.errors import InputError
from keras_isample.experiments.phantom_data import open_phantom


def test_phantom_is_drawn_once(tmp_path):
    path = tmp_path / "data"
    drawn = []

    def progress(done, total):
        drawn.append(done)

    options = {"cases": 2, "shape": (12, 12, 12), "progress": progress}
    assert open_phantom(path, **options) == path
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    assert open_phantom(path, **options) == path
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before
    assert drawn == [1, 2]


@pytest.mark.parametrize("change", [{"cases": 3}, {"shape": (12, 12, 16)}])
def test_another_phantom_is_refused(tmp_path, change):
    options = {"cases": 2, "shape": (12, 12, 12)}
    open_phantom(tmp_path / "data", **options)
    with pytest.raises(
        InputError, match="phantom of (cases 2|shape .12, 12, 12.), not"
    ):
        open_phantom(tmp_path / "data", **{**options, **change})
