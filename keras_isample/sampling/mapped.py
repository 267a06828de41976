"""The arrays of prepared cases, mapped from their files when first needed."""

import functools

import numpy as np

_OPEN = 64
"""Arrays of each kind that are kept mapped (a mapping holds a file handle)."""


class MappedCases:
    """Mapped arrays of prepared cases, as plain NumPy arrays.

    Args:
        cases: `PreparedCase`s.
    """

    def __init__(self, cases):
        cases = list(cases)

        def kept(read):
            return functools.lru_cache(_OPEN)(
                lambda index: np.asarray(read(cases[index]))
            )

        self.cases = cases
        self.image = kept(lambda case: case.image())
        self.context = kept(lambda case: case.context())
        self.labels = kept(lambda case: case.labels()[None])
        self.positions = kept(lambda case: case.positions())
