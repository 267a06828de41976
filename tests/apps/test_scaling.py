"""The scaling benchmark runs, and measures what it says."""

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

_FILE = Path(__file__).parents[2] / "apps" / "benchmarks" / "scaling.py"


@pytest.fixture(scope="module")
def scaling():
    spec = importlib.util.spec_from_file_location("scaling", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables(scaling, tmp_path_factory):
    """Row name to its numbers, and the folder that was worked in."""
    folder = tmp_path_factory.mktemp("scaling")
    result = CliRunner().invoke(
        scaling.main, ["--quick", "--folder", str(folder)]
    )
    assert result.exit_code == 0, result.output
    rows = {}
    for line in result.output.splitlines():
        # Names have single blanks, columns are apart by two at least.
        cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        if cells:
            # The first of the tables that have a row of this name.
            rows.setdefault(cells[0], cells[1:])
    return rows, folder


def test_cases_differ_and_are_what_was_asked_for(scaling, tmp_path):
    scaling._write_cases(tmp_path, 6, (36, 33, 34))
    images = sorted((tmp_path / "images").iterdir())
    assert len({path.read_bytes() for path in images}) == 6
    for path in images:
        label_map = nib.load(tmp_path / "labels" / path.name)
        assert nib.load(path).shape == label_map.shape == (36, 33, 34)
        assert len(np.unique(np.asarray(label_map.dataobj))) > 5


@pytest.mark.slow
def test_tables_have_a_column_for_each_measurement(tables):
    rows, _ = tables
    assert rows["cases"] == ["4", "8", "last / first"]
    assert rows["size"] == ["32x32x32", "48x40x36", "last / first"]
    for name in ("start s", "epoch s", "error_maps s", "GB", "fit GB"):
        first, last, ratio = map(float, rows[name])
        assert min(first, last, ratio) > 0
        if min(first, last) >= 1:
            # Else what is printed is too round to divide.
            assert ratio == pytest.approx(last / first, rel=0.2, abs=0.2)


@pytest.mark.slow
def test_sizes_are_trained_on_with_error_maps(tables):
    rows, _ = tables
    assert float(rows["fit error_maps s"][0]) > 0


@pytest.mark.slow
def test_planned_shares_stand_beside_those_seen(tables):
    rows, folder = tables
    assert rows["shares"][0] == "40x36x32"
    for kind in ("planned", "seen"):
        parts = [
            float(rows[f"shares {part} {kind} %"][0])
            for part in ("training", "error_maps", "validation")
        ]
        assert sum(parts) == pytest.approx(100, abs=0.1)
        assert min(parts) > 0
    scan = nib.load(folder / "shares-40x36x32" / "images" / "scan0000.nii")
    assert scan.header.get_zooms() == pytest.approx((1, 1, 1.5))


@pytest.mark.slow
def test_predictions_lie_on_the_grid_of_the_scan(tables):
    _, folder = tables
    for spacing in ("native", "1,1,1.5"):
        out = folder / "48x40x36" / f"predicted-{spacing}"
        predicted = nib.load(out / "scan0000.nii.gz")
        scan = nib.load(folder / "48x40x36" / "images" / "scan0000.nii")
        assert predicted.shape == scan.shape
        assert np.array_equal(predicted.affine, scan.affine)
