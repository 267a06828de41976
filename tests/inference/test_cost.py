"""Multiplications are counted from layers and shapes."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_isample.inference import dual_path
from keras_isample.inference import predictor_for
from keras_isample.inference.cost import allowed
from keras_isample.inference.cost import batch_pass
from keras_isample.inference.cost import multiplications
from keras_isample.inference.cost import training_step
from keras_isample.models import DualPathGeometry
from keras_isample.models import SliceGeometry
from keras_isample.models import dual_path_resnet
from keras_isample.models import unet
from keras_isample.volumes.scan import Scan

AIR = -1000
SIDES = (None, None, None)


def of_layer(layer, shape):
    image = keras.Input(shape[1:])
    return multiplications(keras.Model(image, layer(image)), [shape])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv3D(5, 3), 27 * 2 * 5 * 6 * 5 * 4),
        (layers.Conv3D(5, 3, padding="same"), 27 * 2 * 5 * 8 * 7 * 6),
        (layers.Conv3D(5, 2, strides=2), 8 * 2 * 5 * 4 * 3 * 3),
        (layers.Conv3D(4, 3, groups=2), 27 * 1 * 4 * 6 * 5 * 4),
        (layers.Conv3D(5, 3, dilation_rate=2), 27 * 2 * 5 * 4 * 3 * 2),
        # Its kernel is applied at each voxel of the input.
        (layers.Conv3DTranspose(5, 2, strides=2), 8 * 2 * 5 * 8 * 7 * 6),
        (layers.Dense(5), 2 * 5 * 8 * 7 * 6),
    ],
)
def test_kernels_of_volumes_count_at_each_position(layer, expected):
    assert of_layer(layer, (1, 8, 7, 6, 2)) == expected
    assert of_layer(layer, (3, 8, 7, 6, 2)) == 3 * expected


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(5, 3), 9 * 2 * 5 * 6 * 5),
        (layers.Conv2D(5, 3, use_bias=False), 9 * 2 * 5 * 6 * 5),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 9 * 2 * 2 * 6 * 5),
        (layers.SeparableConv2D(5, 3), (9 * 2 + 2 * 5) * 6 * 5),
        (layers.Conv2DTranspose(5, 2, strides=2), 4 * 2 * 5 * 8 * 7),
    ],
)
def test_kernels_of_slices_count_at_each_position(layer, expected):
    assert of_layer(layer, (1, 8, 7, 2)) == expected


def test_what_only_scales_counts_nothing():
    for layer in (
        layers.BatchNormalization(),
        layers.PReLU(),
        layers.ReLU(),
        layers.Dropout(0.5),
    ):
        assert of_layer(layer, (1, 8, 7, 6, 2)) == 0


class Mixing(layers.Layer):
    """Maps times a matrix and a vector."""

    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], 4))
        self.scale = self.add_weight(shape=(4,))

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.matrix) * self.scale


def test_unknown_kinds_count_their_weights_at_each_position():
    assert of_layer(Mixing(), (1, 8, 7, 6, 3)) == (3 * 4 + 4) * 8 * 7 * 6


def test_a_layer_used_twice_counts_twice():
    image = keras.Input((8, 8, 2))
    layer = layers.Conv2D(2, 1)
    model = keras.Model(image, layer(layer(image)))
    assert multiplications(model, [(1, 8, 8, 2)]) == 2 * 4 * 64


def test_models_inside_of_models_count():
    inner = keras.Sequential([layers.Conv2D(3, 3), layers.Conv2D(2, 1)])
    image = keras.Input((None, None, 2))
    core = keras.Model(image, inner(image))
    outer = keras.Input((None, None, 2))
    model = keras.Model(outer, core(core(outer)))
    kernels = 9 * 2 * 3 + 3 * 2
    expected = kernels * (8 * 8 + 6 * 6)
    assert multiplications(model, [(1, 10, 10, 2)]) == expected


@pytest.mark.parametrize(
    ("side", "billions"), [(8, 1.5), (16, 4.1), (24, 9.2), (32, 18.0)]
)
def test_patches_of_the_papers_network_cost_what_they_are_said_to(
    side, billions
):
    model = dual_path_resnet(11)
    counted = batch_pass(model, DualPathGeometry(side), 1) / 1e9
    assert counted == pytest.approx(billions, rel=0.02)


def test_a_training_step_takes_three_passes_of_the_batch():
    model = unet(3, input_shape=(None, None, 1), filters=(2, 3))
    shape = (4, 12, 16, 1)
    geometry = SliceGeometry((12, 16), axis=1)
    assert training_step(model, geometry, 4) == 3 * multiplications(
        model, [shape]
    )


def test_shares_are_of_the_time_of_all_together():
    maps, validation = allowed(750, 0.15, 0.1), allowed(750, 0.1, 0.15)
    assert maps / (750 + maps + validation) == pytest.approx(0.15)
    assert validation / (750 + maps + validation) == pytest.approx(0.1)
    assert allowed(900, 0.1, None) == 100


def scan_of(shape, occupied=None):
    rng = np.random.default_rng(0)
    stored = np.full((1, *shape), AIR, np.int16)
    place = (0, *(occupied or (slice(None),) * 3))
    stored[place] = rng.integers(-900, 900, stored[place].shape)
    return Scan(stored, (1 / 218,), (0.0,), (AIR,))


def dual_path_predictor(monkeypatch, side=16):
    model = dual_path_resnet(3, width=0.2)
    memory = predictor_for(model).tile_bytes(*[side // 4] * 3)
    predictor = predictor_for(model, int(memory) + 1)
    parts, seen = predictor._parts, []
    for part in ("trunk", "context", "head", "share", "constant"):
        name = f"_run_{part}"
        original = getattr(parts, name)

        def noted(*inputs, name=name, original=original):
            seen.append((name, [tuple(x.shape) for x in inputs]))
            return original(*inputs)

        monkeypatch.setattr(parts, name, noted)
    return model, predictor, seen


def counted_by_hand(model, seen):
    """Convolutions of each call that a predictor made, by their kernels."""
    kernel = {
        layer.name: int(np.prod(layer.kernel.shape))
        for layer in model.layers
        if isinstance(layer, layers.Conv3D)
    }
    high = model.get_layer("high_rb1_conv3").filters
    hidden, classes = (model.get_layer(n).filters for n in ("fc1", "fc2"))
    maps = model.get_layer("low_rb2_conv3").filters
    pointwise = kernel["high_rb1_conv3"] + kernel["high_rb1_projection"]
    total = 0
    for name, shapes in seen:
        sides = shapes[0][1:4]
        voxels = int(np.prod(sides))
        if name == "_run_share":
            total += voxels * (pointwise + high * hidden)
        elif name == "_run_head":
            each = pointwise + high * hidden + hidden * classes
            total += voxels * each
        elif name == "_run_constant":
            total += voxels * hidden * classes
        else:
            path = "high" if name == "_run_trunk" else "low"
            total += by_sides(model, path, kernel, sides)
            if path == "low":
                total += maps * hidden * int(np.prod([n - 30 for n in sides]))
    return total


def by_sides(model, path, kernel, sides):
    total, lost = 0, 0
    blocks = [f"{path}_ra{k}" for k in range(1, 7)]
    blocks += [f"{path}_rb{k}" for k in range(1, 3)]
    sides = np.array(sides)

    def times(name):
        if name in ("high_rb1_conv3", "high_rb1_projection"):
            return 0
        return kernel.get(name, 0) * int(np.prod(sides - lost))

    lost = 2
    total += times(f"{path}_stem")
    for block in blocks:
        if f"{block}_conv1" not in kernel:
            continue
        if "_ra" in block:
            lost += 2
            total += times(f"{block}_conv1")
            lost += 2
            total += times(f"{block}_conv2")
        else:
            total += times(f"{block}_conv1")
            lost += 2
            total += times(f"{block}_conv2") + times(f"{block}_conv3")
        total += times(f"{block}_projection")
    return total


@pytest.mark.parametrize(
    ("shape", "occupied", "boxes"),
    [
        ((40, 22, 30), None, None),
        ((70, 40, 40), np.s_[0:9, 3:20, 30:40], None),
        ((40, 40, 40), None, [np.s_[8:28, 0:20, 20:40], np.s_[0:4, 8:12, 4:8]]),
    ],
)
def test_counts_of_dual_path_scans_are_what_is_computed(
    monkeypatch, shape, occupied, boxes
):
    model, predictor, seen = dual_path_predictor(monkeypatch)
    scan = scan_of(shape, occupied)
    list(predictor.tiles(scan, boxes))
    counted = predictor.multiplications(scan, boxes)
    assert counted == counted_by_hand(model, seen) > 0


def test_air_costs_less_than_tissue():
    model = dual_path_resnet(3, width=0.2)
    predictor = predictor_for(model)
    air = predictor.multiplications(scan_of((80, 40, 40), np.s_[:4, :4, :4]))
    assert air < 0.5 * predictor.multiplications(scan_of((80, 40, 40)))


def test_halos_count():
    model = dual_path_resnet(3, width=0.2)
    predictor, scan = predictor_for(model), scan_of((80, 40, 40))
    boxes = [np.s_[a : a + 40, b : b + 20, :] for a in (0, 40) for b in (0, 20)]
    assert predictor.multiplications(
        scan, boxes
    ) > 1.2 * predictor.multiplications(scan)


@pytest.mark.parametrize(
    "boxes", [None, [np.s_[0:8, 8:16, 0:8], np.s_[16:30, 0:32, 20:29]]]
)
def test_counts_of_unet_scans_are_those_of_their_tiles(monkeypatch, boxes):
    model = unet(3, input_shape=(*SIDES, 1), filters=(3, 4))
    predictor = predictor_for(model)
    network, seen = predictor._network, []
    original = network._run

    def noted(image):
        seen.append(image.shape)
        return original(image)

    monkeypatch.setattr(network, "_run", noted)
    scan = scan_of((30, 32, 29))
    list(predictor.tiles(scan, boxes))
    expected = sum(multiplications(network.model, [shape]) for shape in seen)
    assert predictor.multiplications(scan, boxes) == expected


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_count_as_whole_ones(axis):
    model = unet(3, input_shape=(None, None, 1), filters=(3, 4))
    model.metadata["axis"] = axis
    predictor, scan = predictor_for(model), scan_of((5, 6, 7))
    shape = [-(-n // 2) * 2 for i, n in enumerate((5, 6, 7)) if i != axis]
    network = predictor._network.model
    each = multiplications(network, [(1, *shape, 1)])
    assert predictor.multiplications(scan) == each * scan.shape[axis]
    box = [slice(0, n) for n in scan.shape]
    box[axis] = slice(2, 4)
    assert predictor.multiplications(scan, [tuple(box)]) == 2 * each


def test_counting_predicts_nothing(monkeypatch):
    _, predictor, seen = dual_path_predictor(monkeypatch)
    predictor.multiplications(scan_of((20, 20, 20)))
    assert not seen


def test_near_air_is_found_from_a_part_of_the_scan():
    scan = scan_of((80, 40, 40), np.s_[20:22, :, 5:9])
    whole = tuple(slice(0, n // 4) for n in scan.shape)
    near = dual_path._near(scan, whole)
    assert near.any() and not near.all()
    for region in (np.s_[0:7, 2:9, 4:10], np.s_[9:12, 0:1, 0:10]):
        assert (dual_path._near(scan, region) == near[region]).all()
