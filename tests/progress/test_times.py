"""Durations in words."""

import pytest

from keras_isample.progress.times import clock_text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0:00"),
        (9.9, "0:09"),
        (65, "1:05"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (100_000, "27:46:40"),
    ],
)
def test_durations(seconds, text):
    assert clock_text(seconds) == text
