"""How much memory the maps of one tile may take, unless the user says so.

What is chosen depends on the network and on how much memory the machine or the
container has, never on how much of it is free: the same scan is cut into the
same tiles, so that its probabilities have the same bits.
"""

from keras_isample.volumes.memory import memory_limit

DEFAULT_TILE_MEMORY = 1 << 30
"""Bytes of a tile of the dual-path network, or of a batch of slices."""

_MOST_OF_SCAN = 3 * 10**9
"""Bytes of a tile that gain next to nothing over fewer: 256 x 256 x 160 voxels
took 64 s with tiles of 1 GiB, and 56 s with tiles of 3 GB."""

_PARTS_OF_SCAN = 4
"""Such a tile takes at most one of so many parts of the memory. Results that
wait take as much again, and half of the memory is left for the scan and the
libraries."""

_MOST_OF_PLAIN = 8 << 30
"""Bytes of a tile of a 3D U-Net: with less, most of a tile is what the network
sees around it."""

_SHARE_OF_PLAIN = 0.6
"""Part of the memory that such a tile takes at most."""


class TileMemoryError(ValueError):
    """Not even the smallest tile is allowed.

    Attributes:
        least: Bytes that it takes.
    """

    def __init__(self, message, least):
        super().__init__(message)
        self.least = least


def scan_tile_memory() -> int:
    """Bytes of a tile with which the dual-path network predicts one scan.

    A quarter of the memory, between 1 GiB and 3 GB.
    """
    share = memory_limit() // _PARTS_OF_SCAN
    return max(DEFAULT_TILE_MEMORY, min(_MOST_OF_SCAN, share))


def plain_tile_memory() -> int:
    """Bytes of a tile of a 3D U-Net: 8 GiB, or 60 % of less memory."""
    return min(_MOST_OF_PLAIN, int(_SHARE_OF_PLAIN * memory_limit()))
