import json

import numpy as np
import pytest

from keras_isample.metrics.evaluation import METRICS
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.volumes.volume import Volume

NAMES = ["background", "liver", "spleen", "kidney"]


def label_maps():
    """Liver: displaced by a voxel of 2 mm. Spleen: predicted only."""
    reference = np.zeros((10, 10, 10), np.uint8)
    prediction = reference.copy()
    reference[2:6, 2:6, 2:6] = 1
    prediction[2:6, 2:6, 3:7] = 1
    prediction[8, 8, 8] = 2
    return reference, prediction


def evaluate(**options):
    return evaluate_labels(
        *label_maps(), NAMES, spacing=(1.0, 1.0, 2.0), **options
    )


def test_every_structure_has_every_metric_in_order():
    metrics = evaluate()
    assert list(metrics) == ["1", "2", "3"]
    assert all(tuple(values) == METRICS for values in metrics.values())


def test_overlap_by_hand():
    liver = evaluate()["1"]
    assert liver["Dice"] == pytest.approx(0.75)
    assert liver["IoU"] == pytest.approx(0.6)
    assert (liver["TP"], liver["FP"], liver["FN"]) == (48, 16, 16)
    assert liver["TN"] == 1000 - 80
    assert (liver["n_pred"], liver["n_ref"]) == (64, 64)


def test_distances_by_hand():
    # Of the 56 surface voxels, two ends of 16 and two rings of 12, the end
    # that sticks out is 2 mm off. The 4 inner voxels of the other end lie
    # inside the other structure, 1 mm from its ring.
    liver = evaluate()["1"]
    assert liver["HD95"] == pytest.approx(2.0)
    assert liver["NSD_2mm"] == 1.0
    assert liver["ASSD"] == pytest.approx((16 * 2 + 4 * 1) / 56)
    assert liver["NSD_1mm"] == pytest.approx(1 - 16 / 56)


def test_volumes_are_in_ml():
    liver = evaluate()["1"]
    assert liver["volume_ref_ml"] == pytest.approx(64 * 2 / 1000)
    assert liver["volume_pred_ml"] == pytest.approx(64 * 2 / 1000)


def test_structure_in_one_map_only_has_dice_zero():
    spleen = evaluate()["2"]
    assert (spleen["Dice"], spleen["IoU"]) == (0.0, 0.0)
    assert (spleen["NSD_1mm"], spleen["NSD_2mm"]) == (0.0, 0.0)
    assert spleen["HD95"] is spleen["ASSD"] is None
    assert (spleen["n_pred"], spleen["n_ref"]) == (1, 0)


def test_structure_absent_from_both_has_counts_only():
    kidney = evaluate()["3"]
    absent = ("Dice", "IoU", "HD95", "ASSD", "NSD_1mm", "NSD_2mm")
    assert all(kidney[name] is None for name in absent)
    assert (kidney["TP"], kidney["FP"], kidney["FN"]) == (0, 0, 0)
    assert kidney["TN"] == 1000
    assert kidney["volume_ref_ml"] == 0.0


def test_structure_that_was_not_annotated_has_no_metric():
    metrics = evaluate(not_annotated=(2,))
    assert set(metrics["2"].values()) == {None}
    assert metrics["1"] == evaluate()["1"]


def test_result_is_strict_json():
    assert json.loads(json.dumps(evaluate(), allow_nan=False)) == evaluate()


@pytest.mark.parametrize("kinds", ["vv", "va", "av"])
def test_volumes_bring_their_spacing(kinds):
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])
    pair = [
        Volume(array, affine) if kind == "v" else array
        for kind, array in zip(kinds, label_maps(), strict=True)
    ]
    assert evaluate_labels(*pair, NAMES) == evaluate()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtype_and_memory_layout_do_not_matter(dtype, order):
    pair = [array.astype(dtype, order=order) for array in label_maps()]
    metrics = evaluate_labels(*pair, NAMES, spacing=(1.0, 1.0, 2.0))
    for label, values in evaluate().items():
        assert metrics[label] == pytest.approx(values)


def test_single_slice_is_measured_in_its_plane():
    label_map = np.zeros((9, 9, 1), int)
    label_map[2:7, 2:7] = 1
    moved = np.roll(label_map, 1, axis=0)
    names = ["background", "ventricle"]
    metrics = evaluate_labels(label_map, moved, names, spacing=(3, 1, 8))["1"]
    # In the plane 16 of the 25 voxels are surface. The 5 of the end that
    # sticks out are off by 3 mm; the 3 inner ones of the other end lie inside
    # the other square, 1, 2 and 1 mm from its sides.
    assert metrics["HD95"] == pytest.approx(3.0)
    assert metrics["NSD_2mm"] == pytest.approx(1 - 5 / 16)
    assert metrics["NSD_1mm"] == pytest.approx(1 - (5 + 1) / 16)


def test_structure_of_one_slice_within_a_scan_is_all_surface():
    thin, thick = np.zeros((2, 9, 9, 9), int)
    thin[2:7, 2:7, 4] = 1
    thick[2:7, 2:7, 3:6] = 1
    names = ["background", "liver"]
    metrics = evaluate_labels(thin, thick, names, spacing=(1, 1, 1))["1"]
    # 25 voxels of the plate, of which the 9 inner ones are inside the thick
    # plate, 1 mm from its surface; 50 + 16 of the thick one, 50 off by 1 mm.
    assert metrics["ASSD"] == pytest.approx((9 + 50) / (25 + 66))


def test_two_classes_as_booleans():
    reference = np.zeros((4, 4, 4), bool)
    reference[1:3] = True
    metrics = evaluate_labels(
        reference, reference, ["background", "liver"], spacing=(1, 1, 1)
    )
    assert metrics["1"]["Dice"] == 1.0
    assert metrics["1"]["HD95"] == 0.0


def test_volumes_on_other_grids_are_refused():
    reference, prediction = label_maps()
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    moved = affine.copy()
    moved[0, 3] = 5.0
    with pytest.raises(ValueError, match="reference.*5 mm"):
        evaluate_labels(
            Volume(reference, affine), Volume(prediction, moved), NAMES
        )


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "spacing=None"),
        ({"spacing": (1, 1)}, "three positive"),
        ({"spacing": (1, 1, -1)}, "three positive"),
        ({"spacing": (1, 1, 1), "not_annotated": (4,)}, r"1 to 3.*\[4\]"),
        ({"spacing": (1, 1, 1), "not_annotated": (0,)}, r"1 to 3.*\[0\]"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        evaluate_labels(*label_maps(), NAMES, **options)


def test_class_without_a_name_is_refused():
    with pytest.raises(ValueError, match="`prediction`.*from 0 to 1.*2"):
        evaluate_labels(*label_maps(), NAMES[:2], spacing=(1, 1, 1))
