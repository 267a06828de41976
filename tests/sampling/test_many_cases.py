"""What must not grow with the number of cases."""

import os
from pathlib import Path

import numpy as np
import pytest

from keras_isample.sampling import ISample

_OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not _OPEN_FILES.exists(), reason="needs /proc")
def test_open_files_do_not_grow_with_the_cases(make_case):
    label_map = np.zeros((4, 4, 4), np.uint8)
    label_map[0] = 1
    cases = [make_case(label_map, name=f"case{i}") for i in range(250)]
    before = len(os.listdir(_OPEN_FILES))
    sampler = ISample(cases, patch_size=4, batch_size=10, augment=False)
    drawn = {int(case) for case, *_ in sampler.centers(50)}
    assert len(drawn) > 200
    for _ in sampler.dataset(50):
        pass
    # The usual limit is 1024, which others need as well.
    assert len(os.listdir(_OPEN_FILES)) - before < 450
