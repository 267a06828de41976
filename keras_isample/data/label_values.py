"""The distinct values of a label map."""

import numpy as np


def label_values(array: np.ndarray) -> set[int]:
    """Distinct values, found slice by slice to bound memory.

    Args:
        array: Labels of an unsigned integer type, shape `(X, Y, Z)`.

    Returns:
        The values as Python integers.
    """
    values = set()
    for index in range(array.shape[2]):
        counts = np.bincount(array[:, :, index].ravel(order="K"))
        values.update(np.flatnonzero(counts).tolist())
    return values
