"""Scans are predicted slice by slice, across any axis."""

import keras
import numpy as np
import pytest

from keras_isample.inference import predict_volume
from keras_isample.inference import predictor_for
from keras_isample.inference.slices import SlicePredictor
from keras_isample.models import deeplab_v3
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.volumes.scan import Scan
from keras_isample.volumes.volume import Volume

AIR = -1000


def small_unet(channels=1, **options):
    shape = (None, None, channels)
    return unet(3, **{"input_shape": shape, "filters": (3, 4), **options})


BUILDERS = {
    "unet": small_unet,
    "unet3plus": lambda: unet3plus(3, filters=(2, 3), deep_supervision=True),
    "deeplab-v3": lambda: deeplab_v3(3, width=0.03),
}


def tamed(model):
    """Probabilities far from 0 and 1."""
    layer = model.get_layer("classifier")
    layer.set_weights([w / 2 for w in layer.get_weights()])
    return model


def scan_of(shape, channels=1):
    rng = np.random.default_rng(0)
    stored = rng.integers(-900, 900, (channels, *shape)).astype(np.int16)
    return Scan(
        stored, (1 / 218,) * channels, (0.0,) * channels, (AIR,) * channels
    )


def one_by_one(model, scan, axis):
    """The definition: every slice padded with the outside value."""
    multiple = model.metadata["multiple"]
    sides = [n for i, n in enumerate(scan.shape) if i != axis]
    padded = [-(-n // multiple) * multiple for n in sides]
    slices = []
    for index in range(scan.shape[axis]):
        start, stop = [0, 0], list(padded)
        start.insert(axis, index)
        stop.insert(axis, index + 1)
        image = scan.read(start, stop).squeeze(axis)
        result = model(image[None])
        result = result[0] if isinstance(result, list) else result
        slices.append(np.array(result)[0, : sides[0], : sides[1]])
    return np.stack(slices, axis=axis)


def assembled(predictor, scan):
    """The slabs put together; every voxel must come once, in order."""
    slabs, row = [], 0
    for start, slab in predictor.tiles(scan):
        assert start == (row, 0, 0)
        assert slab.dtype == np.float32
        row += len(slab)
        slabs.append(slab)
    result = np.concatenate(slabs)
    assert result.shape == (*scan.shape, predictor.num_classes)
    return result, len(slabs)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("memory", [1, 4_000, 12_000, 1 << 30])
def test_slabs_are_all_slices_across_an_axis(axis, memory, randomize):
    model = tamed(randomize(small_unet()))
    model.metadata["axis"] = axis
    scan = scan_of((7, 6, 5))
    result, count = assembled(SlicePredictor(model, memory), scan)
    expected = one_by_one(model, scan, axis)
    assert np.ptp(expected) > 0.1
    assert result == pytest.approx(expected, abs=1e-5)
    if memory != 12_000:
        assert (count > 1) == (memory < 12_000)


@pytest.mark.parametrize("network", BUILDERS)
def test_all_networks_of_slices(network, randomize):
    model = tamed(randomize(BUILDERS[network]()))
    scan = scan_of((9, 7, 3))
    predictor = predictor_for(model)
    assert type(predictor) is SlicePredictor
    result, _ = assembled(predictor, scan)
    # Axial where nothing is said.
    expected = one_by_one(model, scan, 2)
    assert result == pytest.approx(expected, abs=1e-4)


def test_memory_bounds_the_batch():
    model = small_unet()
    few, many = (SlicePredictor(model, m) for m in (100_000, 400_000))
    assert 1 < few.slices_at_once([16, 16]) < many.slices_at_once([16, 16])
    assert few.slices_at_once([512, 512]) == 1


def test_the_axis_may_be_told_after_the_predictor_is_made(randomize):
    model = tamed(randomize(small_unet()))
    predictor, scan = predictor_for(model), scan_of((5, 4, 6))
    assembled(predictor, scan)
    model.metadata["axis"] = 0
    result, _ = assembled(predictor, scan)
    assert result == pytest.approx(one_by_one(model, scan, 0), abs=1e-5)
    model.metadata["axis"] = "axial"
    with pytest.raises(ValueError, match="`axis` must be 0, 1 or 2"):
        next(predictor.tiles(scan))


def test_several_channels(randomize):
    model = tamed(randomize(small_unet(channels=2)))
    scan = scan_of((6, 5, 4), channels=2)
    result, _ = assembled(SlicePredictor(model), scan)
    assert result == pytest.approx(one_by_one(model, scan, 2), abs=1e-5)
    with pytest.raises(ValueError, match=r"2 channel\(s\)"):
        next(SlicePredictor(model).tiles(scan_of((4, 4, 4))))


def test_a_single_slice_is_a_scan(randomize):
    model = tamed(randomize(small_unet()))
    scan = scan_of((9, 8, 1))
    result, _ = assembled(SlicePredictor(model), scan)
    assert result == pytest.approx(one_by_one(model, scan, 2), abs=1e-5)


def test_fixed_sides_are_free_in_prediction(randomize):
    model = small_unet(input_shape=(8, 8, 1))
    tamed(randomize(model))
    free = small_unet()
    free.set_weights(model.get_weights())
    scan = scan_of((11, 6, 2))
    result, _ = assembled(SlicePredictor(model), scan)
    assert result == pytest.approx(one_by_one(free, scan, 2), abs=1e-5)


def test_bfloat16_models_give_float32(randomize):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tamed(randomize(small_unet()))
    finally:
        keras.config.set_dtype_policy("float32")
    result, _ = assembled(SlicePredictor(model), scan_of((6, 5, 4)))
    assert result.sum(axis=-1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labels_of_a_flipped_volume_come_back_on_its_grid(axis, randomize):
    model = tamed(randomize(small_unet()))
    model.metadata["axis"] = axis
    model.metadata["preprocessing"] = {"spacing": None, "intensity": "ct"}
    rng = np.random.default_rng(0)
    array = rng.integers(-900, 900, (8, 6, 5)).astype(np.int16)
    affine = np.zeros((4, 4))
    affine[[1, 0, 2, 3], [0, 1, 2, 3]] = (-1, -1, 2, 1)
    affine[:2, 2] = 0.2
    labels = predict_volume(model, Volume(array, affine), tile_memory=20_000)
    flipped = array.transpose(1, 0, 2)[::-1, ::-1]
    scan = Scan(flipped[None], (1 / 218,), (0.0,), (AIR,))
    expected = one_by_one(model, scan, axis).argmax(axis=-1)
    assert len(np.unique(expected)) > 1
    assert (labels.array == expected[::-1, ::-1].transpose(1, 0, 2)).all()
    assert (labels.affine == affine).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("memory", [4_000, 1 << 30])
def test_some_slices_equal_those_of_the_whole_scan(axis, memory, randomize):
    model = tamed(randomize(small_unet()))
    model.metadata["axis"] = axis
    scan = scan_of((7, 6, 8))
    whole, _ = assembled(SlicePredictor(model), scan)
    boxes = []
    for first, stop in ((4, 6), (0, 1)):
        box = [slice(0, n) for n in scan.shape]
        box[axis] = slice(first, stop)
        boxes.append(tuple(box))
    covered = np.zeros(scan.shape, int)
    for start, slab in SlicePredictor(model, memory).tiles(scan, boxes):
        place = tuple(
            slice(a, a + n) for a, n in zip(start, slab.shape[:3], strict=True)
        )
        covered[place] += 1
        assert slab == pytest.approx(whole[place], abs=1e-5)
    expected = np.zeros(scan.shape, int)
    for box in boxes:
        expected[box] = 1
    assert (covered == expected).all()


def test_parts_of_slices_are_refused(randomize):
    predictor = SlicePredictor(small_unet())
    with pytest.raises(ValueError, match="multiples of"):
        next(predictor.tiles(scan_of((7, 6, 8)), [np.s_[0:4, 0:6, 2:3]]))
