"""`keras-isample phantom`."""

import pytest


def test_phantom_is_written_and_recognized(tmp_path, run, refusal):
    path = tmp_path / "phantom"
    options = ["--cases", 1, "--shape", "40,40,40", "--quiet"]
    result = run("phantom", path, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(path)
    assert "already" in refusal("phantom", path, *options)


@pytest.mark.parametrize(
    "kind, shape, part",
    [("cardiac", "40,32", "."), ("brain", "16,16,16", "auto")],
)
def test_phantom_of_a_kind_is_written_and_recognized(
    tmp_path, kind, shape, part, run
):
    path = tmp_path / "phantom"
    options = ["--kind", kind, "--cases", 3, "--shape", shape, "--quiet"]
    result = run("phantom", path, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(path)]
    result = run("inspect", path / part, "--intensity", "zscore", "--json")
    assert "images/ + labels/" in result.stderr
    assert "split by the data" in result.stderr
