"""`keras-isample evaluate`."""

import numpy as np
import pytest

from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume


@pytest.mark.parametrize(
    "option, value",
    [
        ("--data", ["x"]),
        ("--split", ["test"]),
        ("--sides", []),
        ("--postprocess", ["none"]),
        ("--tile-memory", ["1GB"]),
    ],
)
def test_folders_are_evaluated_without_options_of_runs(option, value, refusal):
    folders = ["--reference", "/none", "--prediction", "/none"]
    line = refusal("evaluate", *folders, option, *value)
    assert line.startswith(f"{option}: needs RUN")


def test_damaged_label_map_is_a_line_below_the_table(tmp_path, run):
    array = np.zeros((5, 5, 5), np.uint8)
    array[1:3] = 1
    for name in ("ref/a", "ref/b", "pred/a", "pred/b"):
        path = tmp_path / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(path, Volume(array, np.eye(4)))
    path.write_bytes(path.read_bytes()[:-20])
    folders = [tmp_path / "ref", "--prediction", tmp_path / "pred"]
    result = run("evaluate", "--reference", *folders)
    assert result.exit_code == 2
    assert "label_1" in result.stdout
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"keras-isample: error: {path}: is truncated")
