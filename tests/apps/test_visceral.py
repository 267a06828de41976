"""The VISCERAL experiment on a phantom in that layout."""

import pytest

from keras_isample.data import write_phantom

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path):
    return write_phantom(tmp_path / "data", cases=3, shape=(32, 32, 32))


def test_kidneys_beside_the_published_rows(
    tmp_path, data, start_app, settings_file, finish
):
    config = settings_file(split="2,1,0", cache=tmp_path / "cache")
    out = tmp_path / "out"
    printed = finish(
        start_app("visceral", data, "--config", config, "--out", out)
    )
    lines = printed.splitlines()
    (isample,) = [x for x in lines if x.startswith("| published, isample |")]
    (uniform,) = [x for x in lines if x.startswith("| published, uniform |")]
    assert "| 0.855 | 0.897 | 0.920 | 0.927 |" in isample
    assert "| 0.797 | 0.849 | 0.905 | 0.899 |" in uniform
    folder = out / "kidneys-2017"
    assert lines[-1] == str(folder / "report.md")
    assert (folder / "curves.png").stat().st_size > 10_000
    text = (folder / "runs/uniform-seed0/config.toml").read_text()
    # The preset's, where the file has nothing else.
    assert "cases_per_batch = 1" in text
    assert "epochs = 3" in text


def test_ten_organs(tmp_path, data, start_app, settings_file, finish):
    config = settings_file(split="2,1,0", labels="", cache=tmp_path / "cache")
    printed = finish(
        start_app(
            *["visceral", data, "--preset", "organs-2017"],
            *["--config", config, "--out", tmp_path / "out"],
        )
    )
    assert "| published, isample | - | - | - | - | 0.903 | - | - |" in printed
    folder = tmp_path / "out" / "organs-2017"
    header = (folder / "curves.csv").read_text().splitlines()[0]
    assert "val_dice_liver," in header
    assert "val_dice_psoas_major," in header


def test_errors_are_one_line(tmp_path, start_app):
    process = start_app("visceral", tmp_path / "nothing")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(f"Error: {tmp_path / 'nothing'}")
