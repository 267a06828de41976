"""Scans that cannot be brought to the training spacing."""

import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.volumes import training_shape
from keras_isample.volumes.scan import store_channels
from keras_isample.volumes.training_shape import check_training_shape
from keras_isample.volumes.volume import Volume

SPACING = (1.0, 1.0, 1.5)


def check(shape, spacing, new_spacing=SPACING, **options):
    return check_training_shape(
        shape, spacing, new_spacing, "scan.nii", **options
    )


@pytest.mark.parametrize(
    "shape, spacing",
    [
        ((24, 24, 24), (5e-4,) * 3),
        ((24, 24, 24), (0.001, 1, 1.5)),
        ((24, 24, 24), (1, 1, 0.001)),
        ((512, 512, 300), (0.01, 0.01, 0.015)),
        ((3, 4, 5), (0.1, 0.1, 0.1)),
        ((32, 32, 32), (0.1, 1, 1.5)),
    ],
)
def test_axes_of_which_nothing_is_left_are_refused(shape, spacing):
    with pytest.raises(InputError, match="scan.nii: has .* voxels of") as e:
        check(shape, spacing)
    text = str(e.value)
    assert "\n" not in text
    for words in ("which would be no more than", "1x1x1.5 mm", "native"):
        assert words in text


def test_the_shapes_are_named():
    with pytest.raises(InputError) as error:
        check((24, 24, 24), (5e-4, 5e-4, 5e-4))
    assert (
        "has 24x24x24 voxels of 0.0005x0.0005x0.0005 mm, which would be no "
        "more than 1x1x1 at the training spacing of 1x1x1.5 mm"
    ) in str(error.value)


@pytest.mark.parametrize(
    "shape, spacing, expected",
    [
        ((128, 128, 128), (4, 4, 2.5), (512, 512, 213)),
        ((3, 4, 5), (1, 1, 1), (3, 4, 3)),
        ((256, 256, 9), (0.3, 0.3, 10), (77, 77, 60)),
        ((256, 256, 1), (1, 1, 0.001), (256, 256, 1)),
        ((2, 40, 40), (0.6, 1, 1), (1, 40, 27)),
        ((33, 32, 34), (0.12, 0.12, 0.18), (4, 4, 4)),
    ],
)
def test_other_scans_pass(shape, spacing, expected):
    assert check(shape, spacing) == expected


def test_own_spacing_may_be_anything():
    assert check((24, 24, 24), (5e-4,) * 3, None) == (24, 24, 24)


@pytest.mark.parametrize("spacing", [(500,) * 3, (1000, 1, 1), (1, 1000, 1000)])
def test_more_than_the_memory_is_refused(monkeypatch, spacing):
    monkeypatch.setattr(training_shape, "memory_limit", lambda: 10**7)
    with pytest.raises(InputError) as error:
        check((64, 64, 64), spacing)
    text = str(error.value)
    for words in ("which would become", "GiB, where this machine has"):
        assert words in text


def test_channels_take_memory_each(monkeypatch):
    monkeypatch.setattr(training_shape, "memory_limit", lambda: 10**7)
    check((64, 64, 64), (1, 1, 1.5))
    with pytest.raises(InputError, match="GiB"):
        check((64, 64, 64), (1, 1, 1.5), num_channels=4)


def test_the_cure_may_be_another():
    with pytest.raises(InputError, match="Use another run"):
        check((24, 24, 24), (5e-4,) * 3, cure="Use another run")


def test_nothing_is_allocated_before(monkeypatch):
    monkeypatch.setattr(training_shape, "memory_limit", lambda: 10**7)
    array = np.zeros((64, 64, 64), np.int16)
    volume = Volume(array, np.diag([500.0, 500, 500, 1]))
    with pytest.raises(InputError, match="GiB"):
        store_channels([volume], SPACING, "ct")
