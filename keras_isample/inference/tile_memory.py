"""The error of a tile memory that is too small."""


class TileMemoryError(ValueError):
    """Not even the smallest tile is allowed.

    Attributes:
        least: Bytes that it takes.
    """

    def __init__(self, message, least):
        super().__init__(message)
        self.least = least
