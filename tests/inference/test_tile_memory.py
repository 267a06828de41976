"""The memory of a tile, where the user does not choose it."""

import pytest

from keras_isample.inference import tile_memory
from keras_isample.inference.tile_memory import plain_tile_memory
from keras_isample.inference.tile_memory import scan_tile_memory


@pytest.fixture
def machine(monkeypatch):
    """Function that sets the memory of the machine, in bytes."""

    def of(size):
        monkeypatch.setattr(tile_memory, "memory_limit", lambda: size)

    return of


@pytest.mark.parametrize(
    "memory, expected",
    [
        (10**9, 1 << 30),
        (4 * 10**9, 1 << 30),
        (8 * 10**9, 2 * 10**9),
        (16 * 10**9, 3 * 10**9),
    ],
)
def test_a_scan_has_tiles_of_a_quarter_of_the_memory_within_limits(
    machine, memory, expected
):
    machine(memory)
    assert scan_tile_memory() == expected


@pytest.mark.parametrize(
    "memory, expected", [(10 * 10**9, 6 * 10**9), (16 * 10**9, 8 << 30)]
)
def test_a_3d_unet_has_tiles_of_60_percent_of_the_memory_at_most(
    machine, memory, expected
):
    machine(memory)
    assert plain_tile_memory() == expected
