"""Tiles are one pass over the whole scan."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_isample.inference import dual_path_parts
from keras_isample.inference.dual_path import DualPathPredictor
from keras_isample.models import DualPathGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import single_input
from keras_isample.sampling.mapped import MappedCases
from keras_isample.sampling.patches import PatchReader
from keras_isample.volumes.scan import Scan

AIR = -1000


def small_model(randomize, seed=0, **options):
    return randomize(dual_path_resnet(3, width=0.2, **options), seed)


@pytest.fixture(scope="module")
def built():
    return {}


@pytest.fixture
def model(built, randomize):
    if "model" not in built:
        built["model"] = small_model(randomize)
    return built["model"]


@pytest.fixture
def predictor(built, model):
    """Of tiles of 8 voxels a side."""
    if "predictor" not in built:
        built["predictor"] = predictor_of_tiles(model, 8)
    return built["predictor"]


def scan_of(stored):
    stored = np.asarray(stored, np.int16)
    channels = len(stored)
    return Scan(
        stored, (1 / 218,) * channels, (0.0,) * channels, (AIR,) * channels
    )


def noise(shape, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-900, 900, (channels, *shape))


def one_pass(model, scan):
    """The definition: pad with the outside value, predict, crop."""
    side = -(-max(scan.shape) // 4) * 4
    volume = scan.read([-60] * 3, [side + 60] * 3)
    result = np.array(single_input(model, side)(volume[None])[0])
    return result[tuple(slice(0, n) for n in scan.shape)]


def assembled(predictor, scan):
    """The tiles put together; every voxel must come once."""
    result = np.full((*scan.shape, predictor.num_classes), np.nan)
    for start, tile in predictor.tiles(scan):
        assert all(a % 4 == 0 for a in start)
        place = tuple(
            slice(a, a + n) for a, n in zip(start, tile.shape[:3], strict=True)
        )
        assert np.isnan(result[place]).all()
        assert result[place].shape == tile.shape
        result[place] = tile
    assert not np.isnan(result).any()
    return result


def predictor_of_tiles(model, side):
    """A predictor whose memory is just enough for tiles of this side."""
    whole = DualPathPredictor(model)
    blocks = [side // 4] * 3
    return DualPathPredictor(model, int(whole.tile_bytes(*blocks)) + 1)


@pytest.mark.parametrize("tile_size", [4, 12, 20])
def test_tiles_equal_one_pass(model, tile_size):
    scan = scan_of(noise((20, 20, 20)))
    predictor = predictor_of_tiles(model, tile_size)
    assert predictor.tile_sides([5, 5, 5]) == [tile_size // 4] * 3
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


@pytest.mark.parametrize("shape", [(21, 10, 15), (1, 2, 3)])
def test_sizes_that_are_no_multiple_of_4(model, predictor, shape):
    scan = scan_of(noise(shape, seed=1))
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


BOXES = [
    np.s_[8:20, 4:8, 0:16],
    np.s_[0:4, 0:4, 0:4],
    np.s_[20:30, 12:22, 16:27],
]


@pytest.mark.parametrize("occupied", [np.s_[:, :, :], np.s_[22:25, 3:9, 2:8]])
def test_boxes_equal_the_whole_scan(model, occupied):
    stored = np.full((1, 30, 22, 27), AIR, np.int16)
    stored[0][occupied] = noise((30, 22, 27))[0][occupied]
    scan = scan_of(stored)
    whole = assembled(DualPathPredictor(model), scan)
    for predictor in (DualPathPredictor(model), predictor_of_tiles(model, 8)):
        covered = np.zeros(scan.shape, int)
        for start, tile in predictor.tiles(scan, BOXES):
            place = tuple(
                slice(a, a + n)
                for a, n in zip(start, tile.shape[:3], strict=True)
            )
            covered[place] += 1
            assert tile == pytest.approx(whole[place], abs=1e-5)
        expected = np.zeros(scan.shape, int)
        for box in BOXES:
            expected[box] = 1
        assert (covered == expected).all()


@pytest.mark.parametrize(
    ("most", "pieces"),
    [
        (1, [(1, 1, 5)] * 25),
        (10, [(1, 2, 5), (1, 2, 5), (1, 1, 5)] * 5),
        (2048, [(1, 3, 5), (1, 2, 5)] * 5),
    ],
)
def test_the_last_layers_see_the_tile_in_pieces(
    model, monkeypatch, most, pieces
):
    scan = scan_of(noise((20, 20, 20)))
    result, found = seen_in_pieces(model, monkeypatch, scan, most)
    assert found == pieces
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


@pytest.mark.parametrize(
    ("most", "pieces"),
    [
        (1, [(1, 1, 2)] * 21),
        (2, [(1, 1, 2)] * 21),
        (2048, [(2, 1, 2)] * 10 + [(1, 1, 2)]),
    ],
)
def test_pieces_of_several_rows(model, predictor, monkeypatch, most, pieces):
    scan = scan_of(noise((84, 4, 8)))
    result, found = seen_in_pieces(model, monkeypatch, scan, most)
    assert found == pieces
    expected = assembled(predictor, scan)
    assert result == pytest.approx(expected, abs=1e-5)


def test_a_small_tile_is_one_piece(model, monkeypatch):
    scan = scan_of(noise((24, 24, 20)))
    _, found = seen_in_pieces(model, monkeypatch, scan, 2048, least=216)
    assert found == [(6, 6, 5)]


def seen_in_pieces(model, monkeypatch, scan, most, least=1):
    """The tile, and the sizes of the pieces in context voxels."""
    monkeypatch.setattr(dual_path_parts, "_PIECE", most)
    monkeypatch.setattr(dual_path_parts, "_LEAST_PIECE", least)
    predictor = DualPathPredictor(model)
    run, pieces = predictor._parts._run_head, []

    def counted(*inputs):
        pieces.append(tuple(inputs[2].shape[1:4]))
        return run(*inputs)

    monkeypatch.setattr(predictor._parts, "_run_head", counted)
    return assembled(predictor, scan), pieces


def test_the_default_tile_memory_takes_a_small_scan_at_once(model):
    scan = scan_of(noise((12, 9, 8)))
    (tile,) = DualPathPredictor(model).tiles(scan)
    assert tile[0] == (0, 0, 0) and tile[1].shape == (12, 9, 8, 3)


# Where the scan is air, nothing is convolved at full resolution.


def in_air(shape, *boxes):
    stored = np.full((1, *shape), AIR)
    for place in boxes:
        stored[(0, *place)] = noise(shape)[(0, *place)]
    return scan_of(stored)


@pytest.mark.parametrize("tile_size", [8, 32])
def test_air_beside_the_patient(model, tile_size):
    scan = in_air((32, 24, 20), np.s_[3:9, 4:6, 3:5])
    predictor = predictor_of_tiles(model, tile_size)
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_air_at_the_reach_of_the_path_is_not_taken_for_empty():
    # Averages of what is above 0, so steep that the least trace of it shows.
    model = dual_path_resnet(2, width=0.1, context_width=4)
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            maps = np.ones_like(layer.get_weights()[0])
            layer.set_weights([maps, 0 * maps, 0 * maps, maps])
        elif layer.get_weights():
            kernel, bias = layer.get_weights()
            layer.set_weights([np.ones_like(kernel) / kernel.size, 0 * bias])
    high_maps = model.get_layer("high_rb1_relu").output.shape[-1]
    kernel, bias = model.get_layer("fc1").get_weights()
    kernel[:, :, :, high_maps:] = 0
    model.get_layer("fc1").set_weights([kernel, bias])
    kernel, bias = model.get_layer("fc2").get_weights()
    kernel[..., 0], kernel[..., 1] = 0, 1e30
    model.get_layer("fc2").set_weights([kernel, bias])
    stored = np.zeros((1, 36, 4, 4), np.int16)
    stored[:, 14] = 1000
    scan = Scan(stored, (1.0,), (0.0,), (0,))
    result = assembled(DualPathPredictor(model), scan)
    # Predicted 14 voxels away, from 0 to 28, and not beyond.
    # Without oneDNN the softmax of 1e30 is one unit in the last place below 1.
    assert result[:29, ..., 1] == pytest.approx(1.0, abs=1e-6)
    assert result[29:, ..., 1] == pytest.approx(0.5, abs=1e-6)


def test_nothing_but_air(model, predictor):
    scan = in_air((20, 17, 12))
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_air_is_not_convolved(predictor, monkeypatch):
    boxes = []
    predict = predictor._predict_box
    monkeypatch.setattr(
        predictor,
        "_predict_box",
        lambda scan, start, box, *rest: (
            boxes.append(box) or predict(scan, start, box, *rest)
        ),
    )
    list(predictor.tiles(in_air((80, 8, 8), np.s_[0:4, 0:4, 0:4])))
    # One block and the four that its voxels reach.
    assert sum(box[0].stop - box[0].start for box in boxes) == 5


def test_a_constant_scan_other_than_air_is_no_shortcut(model, predictor):
    scan = scan_of(np.full((1, 16, 16, 16), 40))
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_slabs_are_as_thin_as_the_memory_of_low_resolution_maps(model):
    predictor = predictor_of_tiles(model, 8)
    memory = predictor._memory
    row = 4 * model.get_layer("fc1").filters * 9
    for blocks, side in (([8, 3, 3], 2), ([10**6, 3, 3], 2)):
        rows = predictor._slab_thickness(blocks, side)
        assert rows == blocks[0] or rows % side == 0
        assert rows * row <= memory / 2


# Other settings.


def test_context_width_4(randomize):
    model = small_model(randomize, 1, context_width=4)
    scan = scan_of(noise((18, 16, 13), seed=2))
    result = assembled(predictor_of_tiles(model, 8), scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_several_channels_with_their_own_outside_values(randomize):
    model = small_model(randomize, 2, num_channels=2)
    stored = noise((14, 12, 11), channels=2, seed=3).astype(np.int16)
    stored[0, 6:], stored[1, 8:] = -1000, -32768
    scan = Scan(stored, (1 / 218, 1e-4), (0.0, 2.5), (-1000, -32768))
    result = assembled(predictor_of_tiles(model, 8), scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_thin_slabs_of_the_low_resolution_path(model, predictor, monkeypatch):
    scan = scan_of(noise((30, 12, 12), seed=4))
    low_rows = []
    coarse_maps = predictor._coarse_maps
    monkeypatch.setattr(
        predictor,
        "_coarse_maps",
        lambda context, first, stop: (
            low_rows.append((first, stop)) or coarse_maps(context, first, stop)
        ),
    )
    monkeypatch.setattr(
        predictor, "_slab_thickness", lambda blocks, side: 3 * side
    )
    result = assembled(predictor, scan)
    side = predictor.tile_sides([8, 3, 3])[0]
    assert low_rows == [
        (a, min(a + 3 * side, 8)) for a in range(0, 8, 3 * side)
    ]
    assert len(low_rows) > 1
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_small_tiles_of_the_low_resolution_path(model, predictor, monkeypatch):
    monkeypatch.setattr(predictor, "_context_sides", lambda shape: (3, 2, 3))
    scan = scan_of(noise((30, 12, 17), seed=5))
    result = assembled(predictor, scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


@pytest.mark.slow
def test_a_model_of_logits_predicts_probabilities(randomize):
    logits = small_model(randomize, 3, classifier_activation=None)
    model = dual_path_resnet(3, width=0.2)
    model.set_weights(logits.get_weights())
    scan = scan_of(noise((8, 8, 8)))
    result = assembled(DualPathPredictor(logits), scan)
    assert result == pytest.approx(one_pass(model, scan), abs=1e-5)


def test_an_origin_off_the_grid_of_4_voxels_predicts_something_else(
    model, predictor
):
    # Guards the tests above: they would see a misplaced context.
    stored = noise((12, 12, 12), seed=6)
    whole = assembled(predictor, scan_of(stored))
    for shift, alike in ((4, True), (2, False)):
        shifted = np.pad(
            stored, [(0, 0)] + [(shift, 0)] * 3, constant_values=AIR
        )
        result = assembled(predictor, scan_of(shifted))
        inside = result[shift:, shift:, shift:]
        difference = np.abs(inside - whole).max()
        assert (difference < 1e-5) == alike
        assert alike or difference > 1e-3


def test_later_weights_are_seen(randomize):
    model = small_model(randomize, 4)
    scan = scan_of(noise((8, 8, 8)))
    predictor = DualPathPredictor(model)
    before = assembled(predictor, scan)
    model.set_weights(small_model(randomize, 5).get_weights())
    after = assembled(predictor, scan)
    assert np.abs(after - before).max() > 1e-2
    # Without oneDNN, on AVX2, up to 1.3e-5: these weights magnify rounding.
    assert after == pytest.approx(one_pass(model, scan), abs=1e-4)


@pytest.mark.parametrize("origin", [(0, 0, 0), (8, 12, 8), (12, 4, 4)])
def test_a_training_patch_is_predicted_as_in_the_whole_scan(
    model, predictor, make_case, origin
):
    # Steps of 27 from the outside value make whole numbers of all box means.
    steps = np.random.default_rng(8).integers(0, 70, (20, 21, 18))
    case = make_case(np.zeros(steps.shape), AIR + 27 * steps, num_classes=2)
    reader = PatchReader(
        MappedCases([case]), DualPathGeometry(8), augment=False
    )
    inputs, _ = reader.read_batch(
        tf.constant([0], tf.int64),
        tf.constant([origin], tf.int64) + 4,
        tf.eye(3, batch_shape=[1], dtype=tf.float64),
    )
    predicted = np.array(model(list(inputs))[0])
    place = tuple(slice(a, a + 8) for a in origin)
    there = assembled(predictor, case.scan())[place]
    assert predicted == pytest.approx(there, abs=1e-5)


# Refusals.


def test_memory_below_the_smallest_tile_is_refused(model):
    with pytest.raises(ValueError, match="`tile_memory`"):
        DualPathPredictor(model, 1000)


def test_a_scan_of_other_channels_is_refused(model):
    with pytest.raises(ValueError, match="1 channel.*scan of 2"):
        list(DualPathPredictor(model).tiles(scan_of(noise((4, 4, 4), 2))))


def test_sizes_and_weights_compile_nothing_anew(randomize, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("counts the graphs of TensorFlow")
    functions = []
    made = dual_path_parts.compiled
    monkeypatch.setattr(
        dual_path_parts,
        "compiled",
        lambda model: functions.append(made(model)) or functions[-1],
    )
    model = small_model(randomize, 6)
    predictor = DualPathPredictor(model)
    for seed, shape in enumerate([(8, 8, 8), (12, 9, 17), (30, 4, 5)]):
        randomize(model, seed)
        list(predictor.tiles(in_air(shape, np.s_[0:2, 0:2, 0:2])))
        list(predictor.tiles(scan_of(noise(shape))))
    counts = [f.experimental_get_tracing_count() for f in functions]
    assert counts == [1] * len(functions) and len(counts) == 5


def test_a_scan_has_the_same_bits_whatever_came_before(randomize):
    model = randomize(dual_path_resnet(3, width=0.4), 8)
    scan = scan_of(noise((20, 8, 8)))
    expected = assembled(predictor_of_tiles(model, 8), scan)
    predictor = predictor_of_tiles(model, 8)
    for shape in [(8, 8, 8), (20, 8, 8), (12, 9, 17), (20, 8, 8), (40, 8, 8)]:
        list(predictor.tiles(scan_of(noise(shape, seed=1))))
    assert np.array_equal(assembled(predictor, scan), expected)


def test_mixed_precision_is_as_accurate_as_one_pass(randomize):
    plain = small_model(randomize, 7)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = dual_path_resnet(3, width=0.2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    mixed.set_weights(plain.get_weights())
    scan = in_air((20, 17, 24), np.s_[4:12, 2:10, 3:9])
    expected = one_pass(plain, scan)
    result = assembled(DualPathPredictor(mixed), scan)
    error = np.abs(result - expected).mean()
    assert 0 < error < 1.5 * np.abs(one_pass(mixed, scan) - expected).mean()
