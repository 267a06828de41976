"""Sizes in bytes, with their units."""

import pytest

from keras_isample.config.sizes import read_size
from keras_isample.config.sizes import size_text


@pytest.mark.parametrize(
    "text, size",
    [
        ("2GB", 2 * 10**9),
        ("500mb", 500 * 10**6),
        ("1.5 GB", 1_500_000_000),
        ("5000000", 5_000_000),
        ("2000KB", 2_000_000),
        ("3000000B", 3_000_000),
    ],
)
def test_sizes_are_read(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["auto", "lots", "nanGB", "infGB", "GB"])
def test_what_is_no_size_stays_text(text):
    assert read_size(text) == text


@pytest.mark.parametrize(
    "size, text",
    [
        (2 * 10**9, "2GB"),
        (1_500_000_000, "1.5GB"),
        (1_000_001_000, "1000001KB"),
        (1_234_567_891, "1234567891B"),
        ("auto", "auto"),
    ],
)
def test_sizes_are_written_as_they_are_read(size, text):
    assert size_text(size) == text
    assert read_size(text) == size
