"""Sizes of the inputs, table of section 4 of the network page."""

import pytest

from keras_isample.models import DualPathGeometry


@pytest.mark.parametrize(
    "patch_size, image_size, context_size",
    [
        (4, 32, 31),
        (8, 36, 32),
        (12, 40, 33),
        (16, 44, 34),
        (20, 48, 35),
        (24, 52, 36),
        (32, 60, 38),
        (48, 76, 42),
    ],
)
def test_input_sizes(patch_size, image_size, context_size):
    geometry = DualPathGeometry(patch_size)
    assert geometry.image_size == image_size
    assert geometry.context_size == context_size


def test_margin_is_60_voxels():
    assert DualPathGeometry().margin == 60


@pytest.mark.parametrize("patch_size", [0, -4, 2, 6, 9, 30])
def test_other_than_a_positive_multiple_of_4_is_refused(patch_size):
    with pytest.raises(ValueError, match=f"patch_size={patch_size}"):
        DualPathGeometry(patch_size)


@pytest.mark.parametrize("patch_size, use", [(0, 4), (9, 8), (11, 12)])
def test_a_size_that_works_is_named(patch_size, use):
    with pytest.raises(ValueError, match=rf"Use {use}\."):
        DualPathGeometry(patch_size)


@pytest.mark.parametrize("context_width", [1, 2, 5])
def test_context_width_other_than_3_or_4_is_refused(context_width):
    with pytest.raises(ValueError, match=f"context_width={context_width}"):
        DualPathGeometry(context_width=context_width)
