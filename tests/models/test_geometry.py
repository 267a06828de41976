"""What networks see and give, as their geometries say."""

import numpy as np
import pytest

from keras_isample.models import DualPathGeometry
from keras_isample.models import PlainGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import measure_receptive_field
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.models.segmentation_model import geometry_from


def test_a_volume_has_the_center_at_half_its_size():
    geometry = PlainGeometry(5)
    (image,) = geometry.inputs
    assert image.size == geometry.labels.size == (5, 5, 5)
    assert image.first == geometry.labels.first == (-2, -2, -2)


@pytest.mark.parametrize(
    "axis, size", [(0, (1, 6, 4)), (1, (6, 1, 4)), (2, (6, 4, 1))]
)
def test_a_slice_is_one_voxel_thick_across_its_axis(axis, size):
    geometry = SliceGeometry((6, 4), axis)
    assert geometry.inputs[0].size == geometry.labels.size == size
    assert geometry.labels.first == tuple(-(side // 2) for side in size)


def test_one_number_is_both_sides():
    assert SliceGeometry(8, 0).labels.size == (1, 8, 8)


@pytest.mark.parametrize("size", [(6, 4, 1), (6,), (0, 4)])
def test_other_numbers_of_sides_are_refused(size):
    with pytest.raises(ValueError, match="`patch_size`"):
        SliceGeometry(size)


def test_there_are_three_axes():
    with pytest.raises(ValueError, match="`axis`"):
        SliceGeometry(8, 3)


@pytest.mark.parametrize("name, value", [("halo", -1), ("multiple", 0)])
def test_reach_and_multiple_are_checked(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        PlainGeometry(8, **{name: value})


def test_without_a_halo_scans_are_predicted_in_windows():
    assert PlainGeometry(8).windows
    assert not PlainGeometry(8, halo=0).windows
    assert not SliceGeometry(8).windows
    assert not DualPathGeometry().windows


@pytest.mark.parametrize(
    "geometry, shapes",
    [
        (PlainGeometry(6), [(2, 6, 6, 6, 3)]),
        (SliceGeometry((6, 4), axis=1), [(2, 6, 4, 3)]),
        (DualPathGeometry(8), [(2, 36, 36, 36, 3), (2, 32, 32, 32, 3)]),
    ],
)
def test_shapes_of_inputs(geometry, shapes):
    assert geometry.input_shapes(num_channels=3, batch_size=2) == shapes


def test_another_patch_size_changes_nothing_else():
    geometry = SliceGeometry(8, axis=0, multiple=4).with_patch_size((16, 12))
    assert geometry == SliceGeometry((16, 12), axis=0, multiple=4)


def narrow(build, **options):
    return build(
        2,
        input_shape=(128, 8, 1),
        filters=(1, 1, 1),
        classifier_activation=None,
        **options,
    )


@pytest.mark.parametrize(
    "build, options", [(unet, {}), (unet3plus, {"skip_filters": 1})]
)
def test_a_stated_halo_is_what_is_measured(build, options):
    model = narrow(build, **options)
    halo, multiple = model.metadata["halo"], model.geometry.multiple
    assert multiple == 4
    seen = []
    # A tile begins at a multiple; each place within it has a field of its own.
    for index in range(64, 64 + multiple):
        first, last = measure_receptive_field(model, output_index=index)
        assert 0 < first and last < 127
        seen.append((64 - first, last - (64 + multiple - 1)))
    before, after = np.max(seen, axis=0)
    # Halos are read in whole multiples: none is read in vain.
    needed = -(-max(before, after) // multiple) * multiple
    assert -(-halo // multiple) * multiple == needed


@pytest.mark.parametrize("width", [3, 4])
def test_a_dual_path_network_carries_its_context(width):
    model = dual_path_resnet(2, width=0.05, context_width=width)
    assert model.geometry == DualPathGeometry(context_width=width)


def test_networks_carry_what_they_see():
    model = unet(2, input_shape=(None, None, None, 1), width=0.02)
    assert model.geometry == PlainGeometry(halo=51, multiple=8)
    model = unet(2, input_shape=(None, None, 1), width=0.02)
    assert model.geometry == SliceGeometry(multiple=8)
    model.metadata["axis"] = 1
    assert model.geometry.axis == 1


@pytest.mark.parametrize(
    "network, halo", [("unet", 51), ("unet3plus", 59), ("other", None)]
)
def test_files_from_before_halos_were_stated(network, halo):
    metadata = {"network": network, "ndim": 3, "multiple": 8}
    assert geometry_from(metadata).halo == halo
