"""Tiles of 3D U-Nets are one pass over the whole scan."""

import keras
import numpy as np
import pytest

from keras_isample.inference import predict_label_map
from keras_isample.inference import predict_volume
from keras_isample.inference import predictor_for
from keras_isample.inference import tile_memory
from keras_isample.inference.plain import PlainPredictor
from keras_isample.inference.predictor import check_scan
from keras_isample.inference.tile_memory import TileMemoryError
from keras_isample.models import unet
from keras_isample.models import unet3plus
from keras_isample.volumes.scan import Scan
from keras_isample.volumes.volume import Volume

AIR = -1000
SIDES = (None, None, None)


def small_unet(channels=1, **options):
    options = {"filters": (3, 4), **options}
    return unet(3, input_shape=(*SIDES, channels), **options)


def small_unet3plus(**options):
    options = {"filters": (2, 3), "skip_filters": 2, **options}
    return unet3plus(3, input_shape=(*SIDES, 1), **options)


def tamed(model):
    """Probabilities far from 0 and 1."""
    layer = model.get_layer("classifier")
    layer.set_weights([w / 10 for w in layer.get_weights()])
    return model


def scan_of(shape, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    stored = rng.integers(-900, 900, (channels, *shape)).astype(np.int16)
    return Scan(
        stored, (1 / 218,) * channels, (0.0,) * channels, (AIR,) * channels
    )


def one_pass(model, scan):
    """The definition: pad with the outside value, predict, crop."""
    multiple = model.metadata["multiple"]
    stop = [-(-n // multiple) * multiple for n in scan.shape]
    result = model(scan.read((0, 0, 0), stop)[None])
    result = result[0] if isinstance(result, list) else result
    return np.array(result)[0][tuple(slice(n) for n in scan.shape)]


def assembled(predictor, scan):
    """The tiles put together; every voxel must come once, slab by slab."""
    result = np.full((*scan.shape, predictor.num_classes), np.nan, np.float32)
    slabs = []
    for start, tile in predictor.tiles(scan):
        place = tuple(
            slice(a, a + n) for a, n in zip(start, tile.shape[:3], strict=True)
        )
        assert np.isnan(result[place]).all()
        assert result[place].shape == tile.shape
        assert tile.dtype == np.float32
        result[place] = tile
        slabs.append((start[0], tile.shape[0]))
    assert not np.isnan(result).any()
    assert slabs == sorted(slabs)
    assert len({start for start, _ in slabs}) == len(set(slabs))
    return result, len(slabs)


def of_tiles(model, shape, sides):
    """A predictor whose memory is just enough for tiles of these blocks."""
    whole = PlainPredictor(model)
    multiple = model.metadata["multiple"]
    blocks = [-(-n // multiple) for n in shape]
    return PlainPredictor(model, int(whole.tile_bytes(blocks, *sides)) + 1)


@pytest.mark.parametrize(
    "build", [small_unet, small_unet3plus], ids=["unet", "unet3plus"]
)
@pytest.mark.parametrize("shape", [(37, 12, 9), (10, 31, 33)])
def test_tiles_equal_one_pass(build, shape, randomize):
    model = tamed(randomize(build()))
    scan = scan_of(shape)
    result, count = assembled(of_tiles(model, shape, (3, 3, 3)), scan)
    assert count > 3
    expected = one_pass(model, scan)
    assert np.ptp(expected) > 0.2
    assert result == pytest.approx(expected, abs=1e-5)


def test_a_smaller_halo_would_show(randomize):
    model = tamed(randomize(small_unet()))
    predictor = of_tiles(model, (37, 9, 9), (3, 5, 5))
    predictor.halo -= 2
    result, _ = assembled(predictor, scan_of((37, 9, 9)))
    difference = np.abs(result - one_pass(model, scan_of((37, 9, 9))))
    assert difference.max() > 1e-4


@pytest.mark.parametrize("shape", [(1, 2, 3), (11, 8, 5)])
def test_a_small_scan_is_one_tile(shape, randomize):
    model = tamed(randomize(small_unet()))
    result, count = assembled(PlainPredictor(model), scan_of(shape))
    assert count == 1
    expected = one_pass(model, scan_of(shape))
    assert result == pytest.approx(expected, abs=1e-5)


def test_several_channels(randomize):
    model = tamed(randomize(small_unet(channels=2)))
    scan = scan_of((35, 9, 8), channels=2)
    result, count = assembled(of_tiles(model, scan.shape, (3, 5, 4)), scan)
    assert count > 1
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)
    with pytest.raises(ValueError, match=r"2 channel\(s\)"):
        next(PlainPredictor(model).tiles(scan_of((4, 4, 4))))


def test_logits_and_deep_supervision_give_the_same_probabilities(randomize):
    scan = scan_of((9, 8, 7))
    plain = randomize(small_unet3plus())
    expected, _ = assembled(PlainPredictor(plain), scan)
    for options in (
        {"classifier_activation": None},
        {"deep_supervision": True},
    ):
        model = small_unet3plus(**options)
        for layer in plain.layers:
            if layer.weights:
                model.get_layer(layer.name).set_weights(layer.get_weights())
        result, _ = assembled(PlainPredictor(model), scan)
        assert result == pytest.approx(expected, abs=1e-5)


def test_it_follows_the_weights(randomize):
    model = tamed(randomize(small_unet()))
    predictor, scan = predictor_for(model), scan_of((6, 5, 4))
    before, _ = assembled(predictor, scan)
    tamed(randomize(model, seed=1))
    after, _ = assembled(predictor, scan)
    assert np.abs(after - before).max() > 0.01
    assert after == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_one_graph_serves_all_sizes(randomize):
    predictor = PlainPredictor(randomize(small_unet()))
    for shape in [(6, 5, 4), (9, 8, 3), (2, 2, 2)]:
        assembled(predictor, scan_of(shape))
    if keras.backend.backend() == "tensorflow":
        run = predictor._network._run
        assert run.experimental_get_tracing_count() == 1


def test_bfloat16_models_give_float32(randomize):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tamed(randomize(small_unet()))
    finally:
        keras.config.set_dtype_policy("float32")
    scan = scan_of((9, 8, 7))
    result, _ = assembled(PlainPredictor(model), scan)
    assert result.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    assert result == pytest.approx(one_pass(model, scan), abs=0.1)


def test_too_little_memory_is_an_error():
    model = small_unet()
    least = int(PlainPredictor(model).tile_bytes([50] * 3, 1, 1, 1))
    with pytest.raises(ValueError, match=f"{least} bytes"):
        next(PlainPredictor(model, least - 1).tiles(scan_of((100, 100, 100))))


def test_fixed_sides_are_free_in_prediction(randomize):
    model = unet(3, input_shape=(8, 8, 8, 1), filters=(3, 4))
    free = small_unet()
    tamed(randomize(model))
    free.set_weights(model.get_weights())
    scan = scan_of((11, 6, 5))
    result, _ = assembled(PlainPredictor(model), scan)
    assert result == pytest.approx(one_pass(free, scan), abs=1e-5)


def test_labels_of_an_oblique_volume_come_back_on_its_grid(randomize):
    model = tamed(randomize(small_unet()))
    model.metadata["preprocessing"] = {"spacing": None, "intensity": "ct"}
    rng = np.random.default_rng(0)
    array = rng.integers(-900, 900, (12, 9, 7)).astype(np.int16)
    cos, sin = np.cos(0.3), np.sin(0.3)
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    affine = np.eye(4)
    # To posterior, left and superior.
    affine[:3, :3] = turned @ [[0, -1, 0], [-1, 0, 0], [0, 0, 2]]
    labels = predict_volume(model, Volume(array, affine))
    flipped = array.transpose(1, 0, 2)[::-1, ::-1]
    scan = Scan(flipped[None], (1 / 218,), (0.0,), (AIR,))
    expected = predict_label_map(model, scan)[::-1, ::-1].transpose(1, 0, 2)
    assert labels.array.shape == (12, 9, 7)
    assert len(np.unique(expected)) > 1
    assert (labels.array == expected).all()


def test_scans_that_no_tile_is_small_enough_for_are_refused():
    model = unet(2, input_shape=(None, None, None, 1), width=0.1)
    check_scan(model, (64, 64, 64))
    with pytest.raises(TileMemoryError) as error:
        check_scan(model, (64, 64, 64), 10**6)
    assert error.value.least > 10**6


def test_tiles_that_are_mostly_halo_are_told(caplog):
    model = unet(2, input_shape=(None, None, None, 1), width=0.1)
    check_scan(model, (400, 400, 400))
    assert not caplog.text
    least = PlainPredictor(model).tile_bytes([50] * 3, 1, 1, 1)
    check_scan(model, (400, 400, 400), int(1.1 * least))
    assert "more `tile_memory`" in caplog.text


@pytest.mark.parametrize("build", [small_unet, small_unet3plus])
@pytest.mark.parametrize("sides", [None, (2, 1, 2)])
def test_boxes_equal_the_whole_scan(build, sides, randomize):
    model = tamed(randomize(build()))
    scan = scan_of((30, 22, 27))
    whole, _ = assembled(PlainPredictor(model), scan)
    predictor = (
        PlainPredictor(model)
        if sides is None
        else of_tiles(model, scan.shape, sides)
    )
    unit = predictor.units(scan.shape)[0]
    boxes = [
        np.s_[2 * unit : 5 * unit, unit : 2 * unit, 0 : 3 * unit],
        np.s_[0:unit, 0:22, 3 * unit : 27],
    ]
    covered = np.zeros(scan.shape, int)
    for start, tile in predictor.tiles(scan, boxes):
        place = tuple(
            slice(a, a + n) for a, n in zip(start, tile.shape[:3], strict=True)
        )
        covered[place] += 1
        assert tile == pytest.approx(whole[place], abs=1e-5)
    expected = np.zeros(scan.shape, int)
    for box in boxes:
        expected[box] = 1
    assert (covered == expected).all()


def test_small_machine_has_small_tiles(monkeypatch):
    monkeypatch.setattr(tile_memory, "memory_limit", lambda: 1000)
    with pytest.raises(TileMemoryError, match="tile_memory=600"):
        PlainPredictor(small_unet()).check((64, 64, 64))
    # What is asked for counts, whatever the machine has.
    PlainPredictor(small_unet(), 1 << 30).check((64, 64, 64))
