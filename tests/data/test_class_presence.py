"""Classes that no training case has a voxel of."""

import dataclasses
import logging

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data.class_presence import ClassesOfCase
from keras_isample.data.class_presence import absent_classes
from keras_isample.data.class_presence import check_classes
from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import cohort_warnings
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.preparation import prepare_cohort
from keras_isample.errors import InputError

NAMES = ("liver", "tumor")


def case(name, annotated, kept=None):
    kept = annotated if kept is None else kept
    return ClassesOfCase(name, frozenset(annotated), frozenset(kept))


def test_nothing_is_said_of_classes_that_are_there():
    cases = [case("a", NAMES), case("b", ["liver"])]
    assert absent_classes(NAMES, cases, (1, 1, 1)) == []


def test_a_class_that_was_never_annotated():
    cases = [case("a", ["liver"]), case("b", [])]
    (line,) = absent_classes(NAMES, cases, (1, 1, 1))
    assert line.startswith(
        "tumor: not annotated in any training case (of 2), so it cannot be "
        "learned. "
    )


def test_a_class_that_resampling_loses_everywhere():
    cases = [case("a", NAMES, ["liver"]), case("b", ["liver"])]
    (line,) = absent_classes(NAMES, cases, (5, 5, 5))
    assert line.startswith(
        "tumor: lost by resampling to 5 x 5 x 5 mm in 1 of 1 training case "
        "that has it (a), so it cannot be learned. Choose a finer"
    )


def test_a_class_that_resampling_loses_in_some_cases():
    cases = [case("a", NAMES, ["liver"]), case("b", NAMES)]
    (line,) = absent_classes(NAMES, cases, (5, 5, 2.5))
    assert line.startswith(
        "tumor: lost by resampling to 5 x 5 x 2.5 mm in 1 of 2 training cases "
        "that have it (a). Choose"
    )


def write(root, voxels, split=None):
    """Cases of 20 voxels of 2 mm; `voxels` gives the labels of each case.

    Label 1 is a ball, label 2 a single voxel.
    """
    grid = np.stack(np.indices((20, 20, 20)), -1)
    ball = np.linalg.norm(grid - (8, 9, 10), axis=-1) < 6
    for name, labels in voxels.items():
        array = np.zeros((20, 20, 20), np.uint8)
        array[ball] = 1 if 1 in labels else 0
        if 2 in labels:
            array[16, 15, 4] = 2
        rng = np.random.default_rng(len(name))
        scan = rng.integers(-900, 900, array.shape).astype(np.int16)
        affine = np.diag([2.0, 2, 2, 1])
        for folder, content in (("images", scan), ("labels", array)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image = nib.Nifti1Image(content, affine)
            nib.save(image, root / folder / f"{name}.nii.gz")
    if split:
        rows = [f"{name},{part}" for name, part in split.items()]
        (root / "cases.csv").write_text("\n".join(["case,split", *rows]))
    (root / "dataset.json").write_text(
        '{"labels": {"background": 0, "liver": 1, "tumor": 2}}'
    )
    return root


def said(root, tmp_path, caplog, spacing, part="train"):
    """What training and inspecting say of the classes."""
    cohort = read_cohort(root, spacing=spacing, cache=tmp_path / "cache")
    reports = inspect_cohort(cohort)
    train = cohort
    if cohort.given_split:
        names = [n for n, p in cohort.given_split.items() if p == part]
        train = cohort.subset(names)
    caplog.clear()
    error = ""
    with caplog.at_level(logging.WARNING):
        try:
            check_classes(train, prepare_cohort(train))
        except InputError as caught:
            error = str(caught)
    lines = [record.getMessage() for record in caplog.records]
    return lines, error, cohort_warnings(reports, cohort), reports


def test_a_lost_class_is_named_by_training_and_inspection(tmp_path, caplog):
    root = write(tmp_path / "data", {"a": (1, 2), "bb": (1, 2)})
    lines, error, general, reports = said(
        root, tmp_path, caplog, (5.0, 5.0, 5.0)
    )
    assert not error
    assert lines[0].startswith("tumor: lost by resampling to 5 x 5 x 5 mm")
    assert general[0] == lines[0].replace("training case", "case")
    for report in reports:
        assert report.trainable and report.lost == ("tumor",)
        assert (
            "of tumor no voxel is left by resampling to 5 x 5"
            in (report.warnings[0])
        )


@pytest.mark.parametrize("spacing", [None, (2.0, 2.0, 2.0), (0.6,) * 3])
def test_nothing_is_lost_at_a_fine_spacing(tmp_path, caplog, spacing):
    root = write(tmp_path / "data", {"a": (1, 2)})
    lines, error, general, reports = said(root, tmp_path, caplog, spacing)
    assert (lines, error, general) == ([], "", [])
    assert not reports[0].warnings


def test_a_class_without_a_training_case_is_named(tmp_path, caplog):
    root = write(
        tmp_path / "data",
        {"a": (1,), "bb": (1, 2)},
        {"a": "train", "bb": "validation"},
    )
    lines, error, general, _ = said(root, tmp_path, caplog, None)
    assert not error
    assert lines == general
    assert lines[0].startswith(
        "tumor: not annotated in any training case (of 1)"
    )


def test_healthy_cases_are_trained_on(tmp_path, caplog):
    root = write(tmp_path / "data", {"a": (1, 2), "bb": (), "ccc": ()})
    lines, error, general, reports = said(root, tmp_path, caplog, None)
    assert not error and not general
    assert lines == [
        "bb, ccc: 2 training cases without a voxel of the chosen labels, taken "
        "as healthy. Leave out what was not annotated."
    ]
    assert all(report.trainable for report in reports)
    assert [len(report.warnings) for report in reports] == [0, 1, 1]


def test_no_voxel_at_all_is_refused_by_both(tmp_path, caplog):
    root = write(tmp_path / "data", {"a": (), "bb": ()})
    _, error, _, reports = said(root, tmp_path, caplog, None)
    assert "no training case has a voxel of the chosen labels (liver, tu" in (
        error
    )
    for report in reports:
        assert not report.trainable
        assert "no case has a voxel of the chosen labels" in report.problems[0]


def test_no_voxel_in_the_training_cases_is_refused_by_both(tmp_path, caplog):
    root = write(
        tmp_path / "data",
        {"a": (), "bb": (1, 2)},
        {"a": "train", "bb": "test"},
    )
    _, error, _, reports = said(root, tmp_path, caplog, None)
    assert error in reports[0].problems
    assert reports[1].trainable


def test_no_voxel_left_at_the_spacing_is_refused_by_both(tmp_path, caplog):
    root = write(tmp_path / "data", {"a": (2,)})
    _, error, _, reports = said(root, tmp_path, caplog, (5.0, 5.0, 5.0))
    assert "left at 5 x 5 x 5 mm. Choose a finer `spacing`" in error
    assert "left at 5 x 5 x 5 mm" in reports[0].problems[0]


def test_a_merged_class_is_not_called_lost(make_case, caplog, tmp_path):
    root = write(tmp_path / "data", {"a": (1, 2)})
    cohort = read_cohort(root, cache=tmp_path / "cache")
    prepared = make_case([[[0, 1, 2, 2]]])
    facts = {"annotated": prepared.counts}
    whole = dataclasses.replace(prepared, **facts)
    half = dataclasses.replace(prepared, missing=(2,), merged=(2,), **facts)
    check_classes(cohort, [whole, half])
    assert not caplog.records
