"""Labels that say which classes count as background in their case.

In a case where classes were not annotated, they and the background count as
one class (`partial="merge"`). The loss has to know which: where any case of a
sampler is so, its labels are coded as `losses.labels` says.
"""

import numpy as np

from keras_isample.losses.labels import label_codes


def merged_classes(cases):
    """The different sets of merged classes, sorted.

    Args:
        cases: `PreparedCase`s.

    Returns:
        Tuple of tuples of class indices, ascending; empty if no case has any.
    """
    return tuple(sorted({case.merged for case in cases if case.merged}))


def case_codes(cases):
    """How the stored labels of each case are coded.

    Args:
        cases: `PreparedCase`s.

    Returns:
        `(sets, codes)`, int32. Case i has the set `s = sets[i]`, and its voxels
        of label k become `codes[s, k]`; shape of codes `(different s, 256)`.
    """
    different = merged_classes(cases)
    number = {merged: s for s, merged in enumerate(((), *different))}
    sets = np.array([number[case.merged] for case in cases], np.int32)
    return sets, label_codes(different)
