"""Labels that say which classes count as background in their case.

In a case where classes were not annotated, they and the background count as
one class (`partial="merge"`). The loss has to know which: where any case of a
sampler is so, its labels are `label + 256 * s`, where `s` is 0 for a case that
was wholly annotated, and otherwise the classes are `merged_classes[s - 1]`.
What lies outside of the scan stays 255 in every case.
"""

import numpy as np

OUTSIDE_LABEL = 255
"""Label of what lies outside of the scan; the loss ignores it."""


def merged_classes(cases):
    """The different sets of merged classes, sorted.

    Args:
        cases: `PreparedCase`s.

    Returns:
        Tuple of tuples of class indices, ascending; empty if no case has any.
    """
    return tuple(sorted({case.merged for case in cases if case.merged}))


def label_codes(cases):
    """How the stored labels of each case are coded.

    Args:
        cases: `PreparedCase`s.

    Returns:
        `(sets, codes)`, int32. Case i has the set `s = sets[i]`, and its voxels
        of label k become `codes[s, k]`; shape of codes `(different s, 256)`.
    """
    different = ((), *merged_classes(cases))
    number = {merged: s for s, merged in enumerate(different)}
    sets = np.array([number[case.merged] for case in cases], np.int32)
    codes = np.tile(np.arange(256, dtype=np.int32), (len(different), 1))
    for s, merged in enumerate(different):
        codes[s, list(merged)] = 0
        codes[s] += 256 * s
    codes[:, OUTSIDE_LABEL] = OUTSIDE_LABEL
    return sets, codes
