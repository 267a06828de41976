"""Coded labels, by hand."""

import numpy as np
import pytest
from keras import ops

from keras_isample.losses import CrossEntropy
from keras_isample.losses.labels import decode_labels
from keras_isample.losses.labels import label_codes
from keras_isample.losses.labels import label_errors
from keras_isample.losses.labels import make_targets
from keras_isample.losses.labels import voxel_errors

P = np.array([[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]], "float32")


def decoded(labels, **options):
    return [ops.convert_to_numpy(x) for x in decode_labels(labels, **options)]


def errors(labels, p=P, **options):
    result = label_errors(np.array(labels), p, **options)
    return ops.convert_to_numpy(result)


def test_plain_labels_are_classes_of_set_0():
    classes, valid, sets = decoded(np.array([[0, 2], [1, 255]], "uint8"))
    assert classes.tolist() == [[0, 2], [1, 0]]
    assert valid.tolist() == [[1, 1], [1, 0]]
    assert sets.tolist() == [0, 0]


def test_set_is_that_of_the_voxels_that_are_not_ignored():
    classes, valid, sets = decoded(np.array([[[258, 255]], [[513, 767]]]))
    assert classes.tolist() == [[[2, 0]], [[1, 0]]]
    assert valid.tolist() == [[[1, 0]], [[1, 0]]]
    assert sets.tolist() == [1, 2]


def test_minus_one_can_be_ignored():
    classes, valid, sets = decoded(np.array([[-1, 1]]), ignore_label=-1)
    assert (classes.tolist(), valid.tolist()) == ([[0, 1]], [[0, 1]])
    assert sets.tolist() == [0]


def test_without_ignored_label_all_voxels_count():
    _, valid, _ = decoded(np.array([[255, 1]]), ignore_label=None)
    assert valid.tolist() == [[1, 1]]


def test_labels_may_come_as_floats():
    classes, _, sets = decoded(np.array([[257.0, 256.0]], "float32"))
    assert classes.tolist() == [[1, 0]] and sets.tolist() == [1]


@pytest.mark.parametrize(
    "shape",
    [(), (3,), (2, 3), (1, 2), (1, 1, 1), (1, 3, 2), (2, 3, 1), (1, 1, 3)],
)
def test_labels_of_another_shape_are_refused(shape):
    # Some of them would be repeated along an axis of size 1.
    with pytest.raises(ValueError, match="y_true of shape"):
        make_targets(np.zeros(shape, "int32"), P)


def test_error_is_one_minus_the_probability_of_the_true_class():
    assert errors([[0, 1, 2]])[0] == pytest.approx([0.5, 0.4, 0.4])


def test_labels_that_are_no_class_are_errors():
    assert errors([[255, 7, 2]])[0] == pytest.approx([1, 1, 0.4])


def test_background_of_a_partial_example_has_the_merged_classes():
    merged = ((1,), (1, 2))
    one = errors([[256, 256, 258]], merged_classes=merged)[0]
    assert one == pytest.approx([0.2, 0.3, 0.4])
    two = errors([[512, 512, 255]], merged_classes=merged)[0]
    assert two == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)
    none = errors([[0, 0, 2]], merged_classes=merged)[0]
    assert none == pytest.approx([0.5, 0.9, 0.4])


def test_voxel_labeled_as_a_merged_class_keeps_its_class():
    found = errors([[257, 256, 258]], merged_classes=[[1]])[0]
    assert found == pytest.approx([0.7, 0.3, 0.4])


def test_set_that_is_not_listed_merges_nothing():
    found = errors([[768, 768, 768]], merged_classes=[[1], [2]])[0]
    assert found == pytest.approx([0.5, 0.9, 0.8])


def test_each_example_has_its_own_set():
    p = np.concatenate([P, P])
    found = errors([[0, 0, 0], [256, 256, 256]], p, merged_classes=[[2]])
    assert found[0] == pytest.approx([0.5, 0.9, 0.8])
    assert found[1] == pytest.approx([0.3, 0.6, 0.2])


@pytest.mark.parametrize("merged", [(), (1,), (1, 2)])
def test_errors_of_scans_are_those_of_patches(merged):
    labels = np.array([[0, 1, 2]])
    codes = label_codes([merged] if merged else [])[-1][labels]
    expected = errors(codes, merged_classes=[merged] if merged else ())
    trained = codes % 256
    found = voxel_errors(trained.astype(np.int64), P, merged)
    assert found == pytest.approx(expected, abs=1e-6)


def test_codes_of_a_set_are_apart_and_merged_classes_are_background():
    codes = label_codes([(1,), (1, 2)])
    assert codes[:, :4].tolist() == [
        [0, 1, 2, 3],
        [256, 256, 258, 259],
        [512, 512, 512, 515],
    ]
    assert (codes[:, 255] == 255).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Labels must be"):
        make_targets(np.zeros((1, 3, 2)), P)
    with pytest.raises(ValueError, match="Labels must be"):
        make_targets(np.zeros(3), P)


@pytest.mark.parametrize("merged", [[[0]], [[1, 1]], [[]], [1, 2], [[-1]]])
def test_sets_without_sense_are_refused(merged):
    with pytest.raises(ValueError, match="`merged_classes`"):
        CrossEntropy(merged_classes=merged)


def test_merged_class_beyond_the_predictions_is_refused():
    with pytest.raises(ValueError, match="names class 3"):
        CrossEntropy(merged_classes=[[3]])(np.array([[0, 1, 2]]), P)
