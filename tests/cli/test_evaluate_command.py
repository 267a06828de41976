"""`keras-isample evaluate`."""

import pytest


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
