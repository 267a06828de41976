"""What every loss does, 2D and 3D, for each kind of labels."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_isample.losses import BoundaryCrossEntropy
from keras_isample.losses import CEDice
from keras_isample.losses import CrossEntropy
from keras_isample.losses import Dice
from keras_isample.losses import DiceFocal
from keras_isample.losses import Focal
from keras_isample.losses import ScheduledLoss

WEIGHTS = [0.2, 1.0, 2.0, 1.5]
LOSSES = {
    "ce": lambda **o: CrossEntropy(**o),
    "wce": lambda **o: CrossEntropy(class_weights=WEIGHTS, **o),
    "ce-batch": lambda **o: CrossEntropy(
        class_weights=WEIGHTS, batch=True, **o
    ),
    "focal": lambda **o: Focal(**o),
    "focal-0.5": lambda **o: Focal(0.5, class_weights=WEIGHTS, **o),
    "dice": lambda **o: Dice(**o),
    "wdice": lambda **o: Dice(class_weights=WEIGHTS, **o),
    "dice-smooth": lambda **o: Dice(absent="smooth", **o),
    "dice-batch": lambda **o: Dice(batch=True, include_background=False, **o),
    "ce-dice": lambda **o: CEDice(
        ce_class_weights=WEIGHTS, dice_weight=0.5, **o
    ),
    "quicknat": lambda **o: CEDice(
        ce_class_weights=WEIGHTS, boundary="gradient", **o
    ),
    "dice-focal": lambda **o: DiceFocal(dice_class_weights=WEIGHTS, **o),
    "ronneberger": lambda **o: BoundaryCrossEntropy(sigma=1.0, **o),
    "gradient": lambda **o: BoundaryCrossEntropy(
        kind="gradient", class_weights=WEIGHTS, **o
    ),
}
SHAPES = [(2, 5, 4), (2, 4, 3, 5)]
over_losses = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=["2d", "3d"])


def values(loss, labels, predictions, weights=None):
    """Unreduced loss, one value per example."""
    loss = type(loss).from_config({**loss.get_config(), "reduction": None})
    return ops.convert_to_numpy(loss(labels, predictions, weights))


@over_shapes
@over_losses
def test_each_example_has_one_value(make, shape, random_batch):
    labels, _, p = random_batch(shape)
    found = values(make(), labels, p)
    assert found.shape == (2,) and found.dtype == "float32"
    assert (found > 0).all()


@over_shapes
@over_losses
def test_integers_one_hot_and_trailing_axis_agree(make, shape, random_batch):
    labels, _, p = random_batch(shape)
    expected = values(make(), labels, p)
    for other in (np.eye(4)[labels], labels[..., None], labels.astype("uint8")):
        assert values(make(), other, p) == pytest.approx(expected, rel=1e-6)


@over_shapes
@over_losses
def test_logits_and_probabilities_agree(make, shape, random_batch):
    labels, logits, p = random_batch(shape)
    found = values(make(from_logits=True), labels, logits)
    assert found == pytest.approx(values(make(), labels, p), rel=1e-5)


@over_losses
def test_ignored_voxels_are_those_of_weight_0(make, random_batch):
    labels, _, p = random_batch((2, 5, 4))
    weights = np.random.default_rng(1).integers(0, 2, labels.shape)
    ignored = np.where(weights == 1, labels, 255)
    expected = values(make(), labels, p, weights.astype("float32"))
    assert values(make(), ignored, p) == pytest.approx(expected, rel=1e-6)
    anything = np.where(weights[..., None] == 1, p, np.eye(4)[2])
    assert values(make(), ignored, anything) == pytest.approx(expected)


@over_losses
def test_voxel_counts_as_often_as_its_weight_says(make, random_batch):
    if isinstance(make(), BoundaryCrossEntropy):
        pytest.skip("a voxel that is there twice has other neighbors")
    labels, _, p = random_batch((1, 3, 4))
    often = np.array([[1, 2, 3, 1]] * 3)[None]
    repeat = [1, 2, 3, 1]
    expected = values(
        make(), np.repeat(labels, repeat, 2), np.repeat(p, repeat, 2)
    )
    found = values(make(), labels, p, often)
    assert found == pytest.approx(expected, rel=1e-5)
    found = values(make(), labels, p, often[..., None])
    assert found == pytest.approx(expected, rel=1e-5)


@over_losses
def test_weights_of_examples_multiply_their_values(make, random_batch):
    labels, _, p = random_batch((2, 4, 4))
    each = values(make(), labels, p)
    for weights in (np.array([2.0, 0.5]), np.array([[2.0], [0.5]])):
        loss = float(make(reduction="sum")(labels, p, weights))
        assert loss == pytest.approx(2 * each[0] + 0.5 * each[1], rel=1e-5)
        loss = float(make()(labels, p, weights))
        assert loss == pytest.approx(each[0] + 0.25 * each[1], rel=1e-5)


@over_losses
def test_only_ignored_voxels_cost_nothing(make, random_batch, gradient):
    labels, logits, p = random_batch((1, 4, 4))
    labels[:] = 255
    assert values(make(), labels, p).tolist() == [0]
    slope = gradient(lambda x: make()(labels, x), p)
    assert (slope == 0).all()
    slope = gradient(lambda x: make(from_logits=True)(labels, x), logits)
    assert (slope == 0).all()


@over_losses
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_certain_predictions_are_finite(make, dtype, gradient):
    # Right and wrong for each class, class 3 absent; one example ignored.
    labels = np.array([[[0, 0, 1], [1, 2, 2]], [[255] * 3] * 2])
    p = np.eye(4)[[[[0, 1, 1], [2, 2, 0]]] * 2]
    found = values(make(), labels, ops.cast(p, dtype))
    assert np.isfinite(found).all() and found[0] > 0
    assert np.isfinite(gradient(lambda x: make()(labels, x), p, dtype)).all()
    logits = (p - 0.5) * 2e4
    slope = gradient(lambda x: make(from_logits=True)(labels, x), logits, dtype)
    assert np.isfinite(slope).all()


@over_losses
def test_smallest_half_precision_numbers_are_finite(make, gradient):
    labels = np.array([[[1]]])
    p = np.array([[[[1.0, 6e-8, 0.0, 0.0]]]])
    slope = gradient(lambda x: make()(labels, x), p, "float16")
    assert np.isfinite(slope).all()


@over_losses
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(make, dtype, random_batch):
    labels, logits, _ = random_batch((2, 5, 4))
    half = ops.cast(logits, dtype)
    rounded = ops.convert_to_numpy(ops.cast(half, "float32"))
    found = values(make(from_logits=True), labels, half)
    expected = values(make(from_logits=True), labels, rounded)
    assert found == pytest.approx(expected, rel=1e-6)


@over_shapes
@over_losses
@pytest.mark.parametrize("from_logits", [True, False])
def test_gradient_is_that_of_a_small_change(
    make, shape, from_logits, random_batch, gradient
):
    labels, logits, p = random_batch(shape)
    labels[0, 0] = 255
    labels[1][labels[1] == 3] = 0  # absent there
    x = logits if from_logits else p
    loss = make(from_logits=from_logits)
    slope = gradient(lambda x: loss(labels, x), x)
    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=x.shape)
        step = 1e-2 * direction.astype("float32")
        if not from_logits:
            step *= 0.1 * p
        difference = float(loss(labels, x + step) - loss(labels, x - step)) / 2
        expected = np.sum(slope * step)
        assert difference == pytest.approx(expected, rel=0.01, abs=2e-6)


@over_losses
def test_merged_classes_and_background_are_one(make, random_batch):
    labels, _, p = random_batch((2, 4, 4))
    labels[1] %= 2
    labels[1] += 256  # classes 2 and 3 were not annotated in the second
    loss = make(merged_classes=[[2, 3]])
    found = values(loss, labels, p)
    moved = p.copy()
    share = np.array([0.5, 0.3, 0.2])[:, None, None]
    moved[1][..., [0, 2, 3]] = np.moveaxis(
        p[1][..., [0, 2, 3]].sum(axis=-1) * share, 0, -1
    )
    assert values(loss, labels, moved) == pytest.approx(found, rel=1e-5)
    # As if all of it were background.
    folded = p.copy()
    folded[1][..., 0] += p[1][..., 2:].sum(axis=-1)
    folded[1][..., 2:] = 0
    plain = values(make(), labels % 256, folded)
    assert found == pytest.approx(plain, rel=1e-5)


@over_losses
def test_merged_logits_and_probabilities_agree(make, random_batch, gradient):
    labels, logits, p = random_batch((2, 4, 4))
    labels[0] += 512
    merged = {"merged_classes": [[2], [1, 3]]}
    loss = make(from_logits=True, **merged)
    found = values(loss, labels, logits)
    assert found == pytest.approx(values(make(**merged), labels, p), rel=1e-4)
    slope = gradient(lambda x: loss(labels, 1e3 * x), logits)
    assert np.isfinite(slope).all()


@over_losses
def test_sets_do_not_touch_fully_annotated_examples(make, random_batch):
    labels, _, p = random_batch((2, 4, 4))
    plain = values(make(), labels, p)
    found = values(make(merged_classes=[[1], [2, 3]]), labels, p)
    assert found == pytest.approx(plain, rel=1e-6)


@over_losses
def test_codes_survive_a_loss_in_half_precision(make, random_batch):
    labels, _, p = random_batch((1, 4, 4))
    labels += 256 * 9
    merged = {"merged_classes": [[1]] * 8 + [[3]]}
    expected = values(make(**merged), labels, p)
    loss = make(dtype="bfloat16", reduction=None, **merged)
    found = loss(labels, p)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    assert found == pytest.approx(expected, rel=1e-2)


@over_losses
def test_config_round_trips(make):
    loss = make(
        from_logits=True,
        ignore_label=7,
        merged_classes=[[1], [2, 3]],
        reduction="sum",
        name="mine",
    )
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert again.from_logits and again.ignore_label == 7
    assert again.merged_classes == ((1,), (2, 3))
    assert again.reduction == "sum" and again.name == "mine"


@over_losses
def test_read_back_loss_has_the_same_value(make, random_batch):
    labels, _, p = random_batch((2, 4, 4))
    again = keras.losses.deserialize(keras.losses.serialize(make()))
    assert float(again(labels, p)) == float(make()(labels, p))


@pytest.mark.parametrize(
    "name", ["wce", "focal", "dice-batch", "dice-focal", "ronneberger"]
)
def test_model_trains_saves_and_loads(name, tmp_path, random_batch):
    labels, logits, _ = random_batch((2, 4, 4))
    x = keras.Input((4, 4, 4))
    model = keras.Model(x, keras.layers.Dense(4, activation="softmax")(x))
    model.compile("sgd", loss=LOSSES[name](merged_classes=[[2]]))
    weights = np.ones(labels.shape)
    model.fit(logits, labels + 256, sample_weight=weights, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == model.loss.get_config()
    one, two = (m.evaluate(logits, labels, verbose=0) for m in (model, again))
    assert np.isfinite(one) and one == pytest.approx(two)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="of TensorFlow"
)
@pytest.mark.parametrize("name", ["wce", "dice-batch", "ronneberger"])
def test_loss_is_the_same_in_a_graph_of_unknown_sizes(name, random_batch):
    import tensorflow as tf

    labels, _, p = random_batch((2, 5, 4))
    specs = [
        tf.TensorSpec((None, None, None), tf.int32),
        tf.TensorSpec((None, None, None, 4), tf.float32),
    ]
    loss = LOSSES[name](merged_classes=[[1]])
    graph = tf.function(loss, input_signature=specs)
    expected = float(loss(labels, p))
    assert float(graph(labels, p)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["ce-dice", "dice-focal"])
def test_model_in_mixed_precision_trains(name, dtype, random_batch):
    labels, logits, _ = random_batch((2, 4, 4))
    x = keras.Input((4, 4, 4))
    layer = keras.layers.Dense(4, activation="softmax", dtype=dtype)
    model = keras.Model(x, layer(x))
    model.compile("sgd", loss=LOSSES[name]())

    def step(x, seed):
        rng = np.random.default_rng(seed)
        before = rng.normal(size=(4, 4)).astype("float32")
        model.set_weights([before, np.zeros(4, "float32")])
        loss = float(model.train_on_batch(x, labels))
        after = model.get_weights()
        assert np.isfinite(loss)
        assert all(np.isfinite(weight).all() for weight in after)
        return np.abs(after[0] - before).max()

    assert step(logits, seed=0) > 1e-4
    # Softmax in half precision is exactly 0 or 1 here. Its own gradient is
    # then 0 or below the smallest number, whatever the loss: only finite.
    for seed in range(20):
        step(100 * logits, seed)


@pytest.mark.parametrize("name", ["wce", "focal-0.5", "wdice", "gradient"])
def test_number_of_class_weights_is_checked(name, random_batch):
    labels, _, p = random_batch((1, 4, 4), classes=3)
    with pytest.raises(ValueError, match="4 class weights"):
        LOSSES[name]()(labels, p)


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [[1, 2]], [np.nan, 1]])
@pytest.mark.parametrize("loss", [CrossEntropy, Focal, Dice])
def test_class_weights_without_sense_are_refused(loss, weights):
    with pytest.raises(ValueError, match="`class_weights`"):
        loss(class_weights=weights)


def test_scheduled_loss_takes_weights_of_voxels_too(random_batch):
    labels, _, p = random_batch((2, 4, 4))
    weights = np.random.default_rng(0).random(labels.shape)
    loss = ScheduledLoss([Dice(), CrossEntropy()], [0, 3])
    expected = values(Dice(), labels, p, weights)
    assert values(loss, labels, p, weights) == pytest.approx(expected)
