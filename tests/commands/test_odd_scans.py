"""Warnings of scans that are unlike those of the training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keras_isample.commands.odd_scans import OddScans
from keras_isample.data.layout import Case
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.volumes.volume import Volume


@pytest.fixture
def look():
    """Function that gives the lines on scans of some arrays."""

    def look(*arrays, ndim=3, spacing=(1, 1, 1), finish=True, **facts):
        metadata = Preprocessing(spacing=None, **facts).as_metadata()
        model = SimpleNamespace(
            metadata={"preprocessing": metadata, "ndim": ndim}
        )
        lines = []
        odd = OddScans(model, lines.append)
        for number, array in enumerate(arrays):
            case = Case(f"s{number}", (Path(f"s{number}.nii"),))
            volume = Volume(array, np.diag([*spacing, 1]))
            assert odd.look_at(case, [volume]) == [volume]
        if finish:
            odd.finish()
        return lines

    return look


def noise(low, high, shape=(16, 16, 16)):
    array = np.random.default_rng(0).integers(low, high, shape)
    array.flat[:2] = low, high
    return array.astype(np.int16)


HU = noise(-1000, 800)


@pytest.mark.parametrize("low, high", [(0, 4095), (-100, 50), (0, 1)])
def test_scan_that_is_no_ct_is_named(look, low, high):
    (line,) = look(noise(low, high))
    assert line.startswith("s0.nii: values do not look like CT in Hounsfield")
    assert f"from {low} to {high}" in line


def test_ct_is_nothing_odd(look):
    assert look(HU) == []


def test_many_odd_scans_are_summed_up(look):
    lines = look(*[noise(0, 4095)] * 9)
    assert [line[:3] for line in lines] == ["s0.", "s1.", "s2.", "6 m"]
    assert lines[3].startswith("6 more scans (s3.nii, s4.nii, s5.nii and 3 ")
    assert "Hounsfield" in lines[3]


def test_any_range_will_do_for_zscore(look):
    assert look(noise(0, 4095), noise(5, 90), intensity="zscore") == []


def test_constant_scan_is_named(look):
    (line,) = look(np.full((16, 16, 16), 7), intensity="zscore")
    assert line.startswith("s0.nii: is constant")


def test_label_map_for_a_scan_is_named(look):
    (line,) = look(noise(0, 3), intensity="zscore")
    assert "has a few gray levels only, unlike a scan (4)" in line


def test_single_slice_for_a_network_of_volumes_is_named(look):
    (line,) = look(HU[:, :, :1])
    assert line.startswith("s0.nii: is a single slice, but the network sees")


def test_slices_are_nothing_odd_for_networks_that_see_or_saw_them(look):
    assert look(HU[:, :, :1], ndim=2) == []
    assert look(HU[:, :, :1], smallest=(16, 16, 1)) == []


def test_few_voxels_are_named(look):
    (line,) = look(HU[:3, :4, :5])
    assert "is much smaller than what the network sees" in line
    assert "3x4x5 voxels" in line


@pytest.mark.parametrize(
    "size, smallest, lines",
    [(5, 20, 0), (4, 20, 1), (15, 160, 1), (16, 160, 0)],
)
def test_scan_is_compared_with_the_smallest_of_the_training(
    look, size, smallest, lines
):
    array = noise(-1000, 800, (40, 40, size))
    found = look(array, smallest=(40, 40, smallest))
    assert len(found) == lines


def test_sizes_are_compared_at_the_training_spacing():
    facts = Preprocessing(spacing=(1.0, 1.0, 1.5), smallest=(32, 32, 32))
    model = SimpleNamespace(metadata={"preprocessing": facts.as_metadata()})
    lines = []
    volume = Volume(HU, np.diag([1e-3, 1e-3, 1e-3, 1]))
    OddScans(model, lines.append).look_at(Case("s", (Path("s"),)), [volume])
    assert "1x1x1 voxels at the training spacing" in lines[0]


def test_channels_are_looked_at_one_by_one():
    model = SimpleNamespace(metadata={"ndim": 2})
    lines = []
    case = Case("s", (Path("s_0000"), Path("s_0001")))
    channels = [Volume(a, np.eye(4)) for a in (HU, noise(0, 9))]
    OddScans(model, lines.append).look_at(case, channels)
    assert [line[:7] for line in lines] == ["s_0001:"]


def test_color_picture_is_named_once():
    model = SimpleNamespace(metadata={"ndim": 2})
    lines = []
    channels = [Volume(noise(0, 255), np.eye(4))] * 3
    OddScans(model, lines.append).look_at(Case("s", (Path("s"),)), channels)
    assert len(lines) == 1
