"""A cohort on disk for the callbacks."""

import json

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data.cohort import read_cohort


@pytest.fixture
def write_cohort(tmp_path):
    """Function that writes images and label maps and reads them back."""

    def write(images, label_maps, labels, **options):
        for folder, arrays in (("images", images), ("labels", label_maps)):
            (tmp_path / folder).mkdir()
            for number, array in enumerate(arrays):
                nib.save(
                    nib.Nifti1Image(np.asarray(array), np.eye(4)),
                    tmp_path / folder / f"case{number}.nii.gz",
                )
        names = {name: k for k, name in enumerate(labels, start=1)}
        content = {"labels": {"background": 0, **names}}
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        return read_cohort(
            tmp_path, spacing=None, cache=tmp_path / "cache", **options
        )

    return write
