import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import at_own_spacing_if_flat
from keras_isample.data.inspection import cohort_warnings
from keras_isample.data.inspection import format_report
from keras_isample.data.inspection import inspect_case
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.inspection import report_as_json
from keras_isample.data.layout import Case
from keras_isample.data.structures import LabelClass
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
AFFINE = np.diag([-1.0, 1, 2, 1])
SHAPE = (10, 8, 5)


COHORT = Cohort(
    path=Path("data"),
    layout="images/ + labels/",
    cases=(),
    structures={"liver": 1, "left_kidney": 2, "tumor": 7},
    classes=(
        LabelClass("liver", ("liver",)),
        LabelClass("kidney", ("left_kidney",)),
    ),
    channel_names=("CT",),
)


def save(path, array, affine=AFFINE):
    write_volume(path, Volume(array, affine))
    return path


def scan():
    """Values from -99 to 300."""
    return np.arange(-99, 301, dtype=np.int16).reshape(SHAPE)


def labels():
    """4 voxels of liver, 8 of left kidney and 1 of tumor among 400."""
    array = np.zeros(SHAPE, np.uint8)
    array[:4, 0, 0] = 1
    array[:8, 1, 0] = 2
    array[0, 2, 0] = 7
    return array


@pytest.fixture
def case(tmp_path):
    return Case(
        "one",
        (save(tmp_path / "image.nii.gz", scan()),),
        save(tmp_path / "label.nii.gz", labels()),
    )


@pytest.fixture
def masked(case, tmp_path):
    kidney = 255 * (labels() == 2).astype(np.uint8)
    masks = {
        "liver": save(tmp_path / "liver.nii", labels() == 1),
        "left_kidney": save(tmp_path / "kidney.nii", kidney),
    }
    return replace(case, label_map=None, masks=masks)


def with_labels(case, array, affine=AFFINE):
    path = case.label_map.with_name("other_label.nii")
    return replace(case, label_map=save(path, array, affine))


def with_image(case, array):
    path = case.images[0].with_name("other_image.nii")
    return replace(case, images=(save(path, array),))


def only_problem(case, cohort=COHORT):
    report = inspect_case(cohort, case)
    (problem,) = report.problems
    assert not report.trainable
    assert "\n" not in problem
    return problem


def test_good_case(case):
    report = inspect_case(COHORT, case)
    assert report.name == "one"
    assert report.shape == SHAPE
    assert report.spacing == (1, 1, 2)
    assert report.orientation == "LAS"
    assert report.intensity_range == ((-99, 300),)
    assert report.shares == {"liver": 4 / 400, "kidney": 8 / 400}
    assert report.not_annotated == ()
    assert report.problems == report.warnings == ()
    assert report.trainable


def test_merged_structures_are_added(case):
    classes = (LabelClass("both", ("liver", "tumor")),)
    report = inspect_case(replace(COHORT, classes=classes), case)
    assert report.shares == {"both": 5 / 400}


def test_wrong_shape_names_both_files(case):
    problem = only_problem(with_labels(case, labels()[:9]))
    assert "other_label.nii: has 9x8x5 voxels but " in problem
    assert "image.nii.gz has 10x8x5" in problem


def test_wrong_affine_names_the_distance(case):
    affine = AFFINE.copy()
    affine[2, 3] = 30
    problem = only_problem(with_labels(case, labels(), affine))
    assert "up to 30 mm apart" in problem


@pytest.mark.parametrize(
    "value, words",
    [(1.5, "fractional label 1.5"), (-1, "negative label -1")],
)
def test_values_that_are_no_labels(case, value, words):
    array = labels().astype(np.float32)
    array[0, 0, 0] = value
    assert words in only_problem(with_labels(case, array))


def test_unknown_labels_are_listed(case):
    array = labels()
    array[0, 5, 0], array[1, 5, 0] = 3, 9
    problem = only_problem(with_labels(case, array))
    assert "labels without a name: 3, 9; known are 0, 1, 2, 7" in problem


def test_structures_that_were_not_chosen_are_known(case):
    cohort = replace(COHORT, classes=COHORT.classes[:1])
    assert inspect_case(cohort, case).trainable


def only_warning(case, cohort=COHORT):
    report = inspect_case(cohort, case)
    assert report.trainable
    (warning,) = report.warnings
    assert "\n" not in warning
    return warning


def test_empty_labels_are_those_of_a_healthy_case(case):
    warning = only_warning(with_labels(case, labels() * 0))
    assert "other_label.nii: has no voxel of the chosen labels" in warning
    assert "taken as healthy" in warning


def test_one_absent_class_is_no_problem(case):
    array = np.where(labels() == 1, 1, 0).astype(np.uint8)
    report = inspect_case(COHORT, with_labels(case, array))
    assert report.trainable
    assert report.shares["kidney"] == 0


def test_constant_image(case):
    array = np.full(SHAPE, 7, np.int16)
    warnings = inspect_case(COHORT, with_image(case, array)).warnings
    assert "is constant for `intensity='ct'`: every voxel is 7" in warnings[0]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "intensity, number, levels", [("zscore", 5, 5), ("zscore", 15, 15)]
)
def test_few_gray_levels_are_a_warning(case, intensity, number, levels):
    array = (np.arange(400) % number).astype(np.int16).reshape(SHAPE)
    cohort = replace(COHORT, intensity=intensity)
    warning = only_warning(with_image(case, array), cohort)
    assert f"has {levels} gray levels only" in warning


def test_unit_range_in_ct_has_few_gray_levels(case):
    array = np.linspace(0, 1, 400, dtype=np.float32).reshape(SHAPE)
    report = inspect_case(COHORT, with_image(case, array))
    assert report.trainable
    assert "do not look like Hounsfield units" in report.warnings[0]
    assert "has 2 gray levels only" in report.warnings[1]


def test_one_voxel_without_data_leaves_the_gray_levels(case):
    array = np.linspace(0, 1, 400, dtype=np.float32).reshape(SHAPE)
    array[0, 0, 0] = -32768
    cohort = replace(COHORT, intensity="zscore")
    assert not inspect_case(cohort, with_image(case, array)).warnings


def test_image_with_nan_keeps_its_shape(case):
    array = scan().astype(np.float32)
    array[1, 1, 1] = np.nan
    report = inspect_case(COHORT, with_image(case, array))
    assert "NaN or infinite" in report.problems[0]
    assert report.intensity_range == (None,)
    assert report.shape == SHAPE


@pytest.mark.parametrize("low, high", [(0, 900), (-500, 50)])
def test_ct_without_hounsfield_units_is_a_warning(case, low, high):
    array = np.linspace(low, high, 400, dtype=np.float32).reshape(SHAPE)
    report = inspect_case(COHORT, with_image(case, array))
    assert report.trainable
    assert "do not look like Hounsfield units" in report.warnings[0]


def test_intensity_of_mr_may_be_anything(case):
    array = np.linspace(0, 900, 400, dtype=np.float32).reshape(SHAPE)
    cohort = replace(COHORT, intensity="zscore")
    assert not inspect_case(cohort, with_image(case, array)).warnings


def test_missing_label_map(case):
    assert "has no label map" in only_problem(replace(case, label_map=None))


def test_missing_files_are_named(case, tmp_path):
    gone = replace(
        case,
        images=(tmp_path / "no_image.nii",),
        label_map=tmp_path / "no_label.nii",
    )
    report = inspect_case(COHORT, gone)
    assert len(report.problems) == 2
    assert "no_image.nii: does not exist" in report.problems[0]
    assert "no_label.nii: does not exist" in report.problems[1]
    assert report.shape is None


def test_missing_channel(case):
    cohort = replace(COHORT, channel_names=("T1", "T2"), intensity="zscore")
    assert "have 2 (T1, T2)" in only_problem(case, cohort)


def test_channels_on_different_grids(case, tmp_path):
    cohort = replace(COHORT, channel_names=("T1", "T2"), intensity="zscore")
    second = save(tmp_path / "second.nii", scan()[:, :, :4])
    two = replace(case, images=(*case.images, second))
    assert "second.nii: has 10x8x4 voxels but" in only_problem(two, cohort)
    assert len(inspect_case(cohort, two).intensity_range) == 2


def test_every_problem_is_told_at_once(case, tmp_path):
    cohort = replace(COHORT, channel_names=("CT", "PET", "MR"))
    array = labels().astype(np.float32)
    array[0, 0, 0] = 0.5
    bad = with_labels(case, array, np.eye(4))
    constant = save(tmp_path / "c.nii", np.ones(SHAPE, np.uint8), np.eye(4))
    bad = replace(bad, images=(*case.images, constant))
    problems = "\n".join(inspect_case(cohort, bad).problems)
    for words in (
        "have 3 (CT, PET, MR)",
        "c.nii: lies elsewhere than",
        "other_label.nii: has the fractional label 0.5",
        "other_label.nii: lies elsewhere than",
    ):
        assert words in problems
    assert problems.count("\n") == 3


def test_oddities_of_the_files_are_warnings(case):
    path = save(case.images[0].with_name("plain.nii"), scan())
    path = path.rename(path.with_name("named.nii.gz"))
    report = inspect_case(COHORT, replace(case, images=(path,)))
    assert report.trainable
    assert "it is not compressed" in report.warnings[0]


def test_masks(masked):
    report = inspect_case(COHORT, masked)
    assert report.shares == {"liver": 4 / 400, "kidney": 8 / 400}
    assert report.trainable


def test_overlapping_masks_of_a_class_count_once(masked, tmp_path):
    masks = {**masked.masks, "tumor": save(tmp_path / "t.nii", labels() > 0)}
    classes = (LabelClass("both", ("liver", "tumor")),)
    cohort = replace(COHORT, classes=classes)
    report = inspect_case(cohort, replace(masked, masks=masks))
    assert report.shares == {"both": 13 / 400}


def test_class_that_was_not_annotated(masked):
    masks = {"liver": masked.masks["liver"]}
    report = inspect_case(COHORT, replace(masked, masks=masks))
    assert report.not_annotated == ("kidney",)
    assert set(report.shares) == {"liver"}
    assert report.trainable


def test_class_of_which_one_side_was_annotated(masked, tmp_path):
    classes = (*COHORT.classes, LabelClass("both", ("liver", "spleen")))
    array = labels().astype(np.float32) / 2
    masks = {**masked.masks, "liver": save(tmp_path / "half.nii", array)}
    report = inspect_case(
        replace(COHORT, classes=classes[1:]), replace(masked, masks=masks)
    )
    assert report.not_annotated == ("both",)
    assert "fractional label 0.5" in report.problems[0]


@pytest.mark.parametrize("partial", ["merge", "exclude", "background"])
def test_a_part_of_the_only_class_can_be_trained_on_as_background(
    masked, partial
):
    classes = (LabelClass("both", ("liver", "spleen")),)
    cohort = replace(COHORT, classes=classes, partial=partial)
    report = inspect_case(cohort, masked)
    assert report.not_annotated == ("both",) and report.shares == {}
    if partial == "background":
        assert report.trainable
    else:
        (problem,) = report.problems
        assert "none of the chosen labels wholly annotated" in problem


def test_no_chosen_class_annotated(masked):
    masks = {"spleen": masked.masks["liver"]}
    problem = only_problem(replace(masked, masks=masks))
    assert "none of the chosen labels annotated" in problem


def test_mask_of_several_labels(masked, tmp_path):
    masks = {**masked.masks, "liver": save(tmp_path / "m.nii", labels())}
    problem = only_problem(replace(masked, masks=masks))
    assert "m.nii: has the labels 1, 2, 7 where a mask has one" in problem


def test_cohort_is_reported_in_its_order(case):
    cases = tuple(replace(case, name=f"case{i}") for i in range(5))
    calls = []
    reports = inspect_cohort(
        replace(COHORT, cases=cases),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert [report.name for report in reports] == [c.name for c in cases]
    assert calls == [(i, 5) for i in range(1, 6)]


def test_interruption_is_passed_on(case):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect_cohort(replace(COHORT, cases=(case,) * 3), progress=interrupt)


def test_table(case, masked):
    gone = replace(masked, name="two", masks={"liver": Path("none.nii")})
    reports = [inspect_case(COHORT, c) for c in (case, gone)]
    text = format_report(reports, COHORT)
    lines = text.splitlines()
    header = "case shape spacing axes intensity liver kidney"
    assert lines[0].split() == header.split()
    row = "one 10x8x5 1x1x2 LAS -99..300 1% 2% ok"
    assert lines[1].split() == row.split()
    assert lines[2].split()[-4:] == ["?", "-", "1", "problem"]
    assert "  two: none.nii: does not exist." in text
    assert lines[-1] == "1 of 2 cases can be trained on."


def test_warnings_of_one_kind_are_told_once(case):
    report = inspect_case(COHORT, case)
    texts = ["no HU", "shifted by 1 mm", "no HU", "shifted by 250 mm"]
    reports = [
        replace(
            report,
            name=str(i),
            warnings=(f"x/{i}.nii: {text}", f"y/{i}.nii: {text}"),
        )
        for i, text in enumerate(texts)
    ]
    lines = format_report(reports, COHORT).splitlines()
    assert lines[lines.index("warnings:") + 1 : -2] == [
        "  0: x/0.nii: no HU",
        "    the same in 3 more (JSON has each): 0, 2",
        "  1: x/1.nii: shifted by 1 mm",
        "    the same in 1 more (JSON has each): 1",
        "  3: x/3.nii: shifted by 250 mm",
        "    the same in 1 more (JSON has each): 3",
    ]


def test_json(case, masked):
    reports = [inspect_case(COHORT, c) for c in (case, masked)]
    first, _ = json.loads(json.dumps(report_as_json(reports)))
    assert first == {
        "name": "one",
        "shape": [10, 8, 5],
        "spacing": [1, 1, 2],
        "orientation": "LAS",
        "intensity_range": [[-99, 300]],
        "shares": {"liver": 0.01, "kidney": 0.02},
        "not_annotated": [],
        "lost": [],
        "problems": [],
        "warnings": [],
        "trainable": True,
    }


def test_real_scans():
    if not DATA.is_dir():
        pytest.skip("needs the folder ../shared/data beside the checkout")
    cohort = read_cohort(DATA / "hippocampus", intensity="zscore")
    cohort = cohort.subset([case.name for case in cohort.cases[:12]])
    for report in inspect_cohort(cohort):
        assert report.trainable
        assert 0.01 < report.shares["anterior"] < 0.05


def test_all_damaged_files_are_named_at_once(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        save(tmp_path / f"images/{name}_0000.nii.gz", scan())
        save(tmp_path / f"labels/{name}.nii.gz", labels())
    save(tmp_path / "images/c_0001.nii.gz", scan())
    for name in "ab":
        (tmp_path / f"labels/{name}.nii.gz").write_bytes(b"no scan")
    cohort = read_cohort(tmp_path)
    problems = {r.name: r.problems for r in inspect_cohort(cohort)}
    assert not problems["c"]
    for name in "ab":
        text = " ".join(problems[name])
        assert f"labels/{name}.nii.gz" in text
        assert f"images/{name}_0001.nii.gz: does not exist" in text


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0, 1.5), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("shape", [(3, 4, 5), (10, 8, 3), (7, 7, 5)])
def test_tiny_scans_are_a_warning(tmp_path, spacing, shape):
    box = tuple(slice(size) for size in shape)
    small = Case(
        "small",
        (save(tmp_path / "i.nii", scan()[box]),),
        save(tmp_path / "l.nii", labels()[box]),
    )
    cohort = replace(COHORT, intensity="zscore", spacing=spacing)
    name = "x".join(map(str, shape))
    assert f"i.nii: has {name} voxels, " in only_warning(small, cohort)


def test_a_single_slice_among_volumes_is_a_warning(case, tmp_path):
    flat = Case(
        "flat",
        (save(tmp_path / "i.nii", scan()[:, :, :1]),),
        save(tmp_path / "l.nii", labels()[:, :, :1]),
    )
    first, second = inspect_cohort(replace(COHORT, cases=(case, flat)))
    assert not first.warnings
    assert (
        "i.nii: is a single slice in a data set of volumes"
        in (second.warnings[0])
    )
    (report,) = inspect_cohort(replace(COHORT, cases=(flat,)))
    assert not report.warnings
    (line,) = cohort_warnings([report], COHORT)
    assert line.startswith("all cases are single slices: networks for slices")


def test_slices_are_inspected_at_their_own_spacing(case, tmp_path):
    fine = AFFINE @ np.diag([0.01, 0.01, 1, 1])
    flat = Case(
        "flat",
        (save(tmp_path / "i.nii", scan()[:, :, :1], fine),),
        save(tmp_path / "l.nii", labels()[:, :, :1], fine),
    )
    cohort = replace(COHORT, cases=(flat,))
    assert inspect_case(cohort, flat).problems
    assert not inspect_case(at_own_spacing_if_flat(cohort), flat).problems
    for other in (case, replace(case, images=(tmp_path / "none.nii",))):
        mixed = replace(COHORT, cases=(flat, other))
        assert at_own_spacing_if_flat(mixed) == mixed


@pytest.mark.parametrize(
    "shape, words",
    [
        ((10, 8, 5, 3), "as one-hot labels are"),
        ((3, 10, 9, 5), "as one-hot labels are"),
    ],
)
def test_one_hot_labels_are_one_problem(case, tmp_path, shape, words):
    path = tmp_path / "hot.nii"
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), AFFINE), path)
    assert words in only_problem(replace(case, label_map=path))


def test_a_time_series_is_one_problem(case, tmp_path):
    path = tmp_path / "time.nii"
    array = np.zeros((10, 8, 5, 40), np.int16)
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    report = inspect_case(COHORT, replace(case, images=(path,)))
    assert len(report.problems) == 1
    assert "as time series are: 40 volumes" in report.problems[0]


def test_leading_axes_of_one_are_dropped(case, tmp_path):
    paths = tmp_path / "i.nii", tmp_path / "l.nii"
    for path, array in zip(paths, (scan(), labels()), strict=True):
        nib.save(nib.Nifti1Image(array[None], AFFINE), path)
    leading = replace(case, images=paths[:1], label_map=paths[1])
    report = inspect_case(COHORT, leading)
    assert report.trainable and report.shape == SHAPE
    assert report.shares == inspect_case(COHORT, case).shares
    assert "the leading 1 is dropped" in report.warnings[0]


def test_the_table_of_many_classes_stays_narrow(case):
    structures = {f"organ_{k}": k for k in range(1, 61)}
    cohort = replace(
        COHORT,
        structures=structures,
        classes=tuple(LabelClass(name, (name,)) for name in structures),
    )
    lines = format_report([inspect_case(cohort, case)], cohort).splitlines()
    assert max(map(len, lines[:2])) < 100
    header = "case shape spacing axes intensity classes of 60 labeled"
    assert lines[0].split() == header.split()
    assert lines[1].split()[-3:] == ["3", "3.25%", "ok"]
    # Names are listed all the same: their numbers are asked for.
    assert "60 organ_60" in cohort.describe()


def test_many_classes_without_names_are_described_in_a_line():
    structures = {f"label_{k}": k for k in range(1, 64)}
    cohort = replace(
        COHORT,
        structures=structures,
        classes=tuple(LabelClass(name, (name,)) for name in structures),
    )
    line = "classes: 63 without names, label_1 to label_63"
    assert line in cohort.describe().splitlines()
