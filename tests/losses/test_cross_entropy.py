"""Cross-entropy: values by hand, ignored voxels, gradient, config."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_isample.losses import CrossEntropy

# Two examples of two voxels and three classes.
LABELS = [[0, 2], [1, 1]]
PROBABILITIES = [
    [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]],
    [[0.6, 0.2, 0.2], [0.0, 1.0, 0.0]],
]


def per_example(labels, p, **options):
    loss = CrossEntropy(reduction=None, **options)
    return ops.convert_to_numpy(loss(labels, p))


def random_logits(shape, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, shape)
    return labels, 3 * rng.normal(size=(*shape, classes)).astype("float32")


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_each_example_has_the_mean_of_its_voxels():
    expected = [-(np.log(0.5) + np.log(0.8)) / 2, -np.log(0.2) / 2]
    assert per_example(LABELS, PROBABILITIES) == pytest.approx(expected)


def test_a_batch_has_the_mean_of_its_examples():
    expected = -(np.log(0.5) + np.log(0.8) + np.log(0.2)) / 4
    loss = CrossEntropy()(LABELS, PROBABILITIES)
    assert float(loss) == pytest.approx(expected)


def test_ignored_voxels_count_neither_in_the_sum_nor_in_the_number():
    labels = [[0, 255], [1, 1]]
    expected = [-np.log(0.5), -np.log(0.2) / 2]
    assert per_example(labels, PROBABILITIES) == pytest.approx(expected)


def test_an_example_of_ignored_voxels_only_has_loss_0():
    loss = per_example([[255, 255], [1, 1]], PROBABILITIES)
    assert loss[0] == 0


def test_ignored_voxels_have_no_gradient(gradient):
    labels = np.array([[0, 255], [255, 255]])
    slope = gradient(lambda p: CrossEntropy()(labels, p), PROBABILITIES)
    assert slope[0, 0, 0] == pytest.approx(-1 / 0.5 / 2)
    slope = np.delete(slope.ravel(), 0)
    assert (slope == 0).all()


def test_another_label_can_be_ignored():
    loss = per_example(LABELS, PROBABILITIES, ignore_label=2)
    assert loss[0] == pytest.approx(-np.log(0.5))


def test_without_ignored_label_every_voxel_counts():
    loss = per_example(LABELS, PROBABILITIES, ignore_label=None)
    assert loss == pytest.approx(per_example(LABELS, PROBABILITIES))


def test_a_sure_right_voxel_costs_nothing():
    assert per_example([[1]], [[[0.0, 1.0]]])[0] == 0


def test_a_sure_wrong_voxel_has_a_finite_loss_above_what_softmax_reaches():
    loss = per_example([[0]], [[[0.0, 1.0]]])[0]
    assert np.isfinite(loss) and loss > 60


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 5)])
def test_logits_and_probabilities_agree(shape):
    labels, logits = random_logits(shape)
    from_logits = per_example(labels, logits, from_logits=True)
    from_p = per_example(labels, softmax(logits))
    assert from_logits == pytest.approx(from_p, rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 5)])
def test_2d_and_3d_are_the_mean_of_minus_log_p(shape):
    labels, logits = random_logits(shape)
    p = softmax(logits)
    true = np.take_along_axis(p, labels[..., None], -1)[..., 0]
    expected = -np.log(true).reshape(2, -1).mean(axis=1)
    assert per_example(labels, p) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_the_logits_is_p_minus_one_hot(gradient):
    labels, logits = random_logits((2, 3, 3, 2))
    loss = CrossEntropy(from_logits=True)
    slope = gradient(lambda x: loss(labels, x), logits)
    expected = (softmax(logits) - np.eye(4)[labels]) / labels.size
    assert slope == pytest.approx(expected, abs=1e-6)


def test_the_gradient_of_probabilities_is_that_of_a_small_change(gradient):
    labels, logits = random_logits((1, 2, 2), 3)
    p = softmax(logits)
    slope = gradient(lambda p: CrossEntropy()(labels, p), p)
    for at in np.ndindex(p.shape):
        change = np.zeros_like(p)
        change[at] = 1e-3 * p[at]
        above = float(CrossEntropy()(labels, p + change))
        below = float(CrossEntropy()(labels, p - change))
        expected = (above - below) / (2 * change[at])
        assert slope[at] == pytest.approx(expected, rel=1e-2, abs=1e-3)


def test_a_badly_wrong_voxel_keeps_its_gradient_through_softmax(gradient):
    slope = gradient(
        lambda x: CrossEntropy()([[1]], ops.softmax(x)), [[[40.0, 0.0]]]
    )
    assert slope.ravel() == pytest.approx([1, -1], abs=1e-3)


def test_half_precision_predictions_are_computed_in_float32():
    p = ops.convert_to_tensor(PROBABILITIES, "bfloat16")
    loss = CrossEntropy(reduction=None)(LABELS, p)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


def test_sample_weights_scale_examples():
    loss = CrossEntropy(reduction="sum")
    weighted = loss(LABELS, PROBABILITIES, sample_weight=[1.0, 0.0])
    assert float(weighted) == pytest.approx(-np.log(0.4) / 2)


def test_class_weights_are_those_of_a_mean():
    # Weights 0.5, 4 and 1, 1; cross-entropy of 0.5, 0.8 and 0.2, 1.
    expected = [
        -(0.5 * np.log(0.5) + 4 * np.log(0.8)) / 4.5,
        -np.log(0.2) / 2,
    ]
    found = per_example(LABELS, PROBABILITIES, class_weights=[0.5, 1, 4])
    assert found == pytest.approx(expected)


def test_batch_mean_is_weighted_over_all_voxels():
    errors = [0.5 * np.log(0.5), 4 * np.log(0.8), np.log(0.2), 0.0]
    loss = CrossEntropy(class_weights=[0.5, 1, 4], batch=True)
    found = float(loss(LABELS, PROBABILITIES))
    assert found == pytest.approx(-np.sum(errors) / 6.5)


def test_voxel_weights_are_those_of_a_mean():
    weights = np.array([[1.0, 3.0], [0.0, 2.0]])
    expected = [-(np.log(0.5) + 3 * np.log(0.8)) / 4, 0]
    loss = CrossEntropy(reduction=None)
    found = loss(LABELS, PROBABILITIES, sample_weight=weights)
    assert ops.convert_to_numpy(found) == pytest.approx(expected)


def test_background_of_a_partial_example_is_merged():
    labels = [[256, 258], [513, 513]]
    expected = [
        -(np.log(0.5 + 0.25) + np.log(0.8)) / 2,
        -(np.log(0.2) + np.log(1.0)) / 2,
    ]
    found = per_example(labels, PROBABILITIES, merged_classes=[[1], [2]])
    assert found == pytest.approx(expected)


def test_keras_has_the_same(gradient):
    labels, logits = random_logits((2, 5, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours = CrossEntropy(from_logits=True)
    expected = float(theirs(labels, logits))
    assert float(ours(labels, logits)) == pytest.approx(expected, rel=1e-6)
    slopes = [
        gradient(lambda x, f=f: f(labels, x), logits) for f in (ours, theirs)
    ]
    assert slopes[0] == pytest.approx(slopes[1], abs=1e-6)


def test_config_round_trips():
    loss = CrossEntropy(
        from_logits=True, ignore_label=7, reduction="sum", name="ce"
    )
    again = CrossEntropy.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    assert again.from_logits and again.ignore_label == 7
    assert again.reduction == "sum" and again.name == "ce"


def test_a_compiled_model_saves_and_loads_back(tmp_path):
    x = keras.Input((4, 1))
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax")(x))
    model.compile("sgd", loss=CrossEntropy(ignore_label=9))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, CrossEntropy)
    assert again.loss.ignore_label == 9


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1)])
def test_weights_of_examples_may_have_axes_to_broadcast(shape):
    labels = np.zeros((2, 2, 2), int)
    p = np.stack([np.full((2, 2, 2), 0.5), np.full((2, 2, 2), 0.25)])
    weights = np.array([3.0, 0.0]).reshape(shape)
    value = float(CrossEntropy()(labels, p, sample_weight=weights))
    assert value == pytest.approx(3 * np.log(2) / 2)
