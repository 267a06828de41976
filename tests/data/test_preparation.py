"""The cache of prepared cases: contents, keys, killed and rival writers."""

import dataclasses
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest

from keras_isample.data import preparation
from keras_isample.data.cache import default_cache
from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.preparation import PreparedCase
from keras_isample.data.preparation import box_means
from keras_isample.data.preparation import prepare_case
from keras_isample.data.preparation import prepare_cohort
from keras_isample.errors import InputError
from keras_isample.volumes.files import DiskFull

ARRAYS = ("image", "context", "labels", "positions")
LABELS = {"background": 0, "liver": 1, "spleen": 2}


def save(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.eye(4) if affine is None else affine
    nib.save(nib.Nifti1Image(array, affine), path)


def write_data(root, number=1, *, channels=1, affine=None, seed=0):
    """A data set of random scans of 9 x 10 x 11 voxels."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        labels = np.zeros((9, 10, 11), np.uint8)
        labels[2:6, 3:7, 2:9] = 1
        labels[6:8, 3:7, 2:9] = 2
        save(root / f"labelsTr/case_{index}.nii.gz", labels, affine)
        for channel in range(channels):
            array = rng.integers(-1200, 1200, labels.shape).astype(np.int16)
            name = f"case_{index}_{channel:04d}.nii.gz"
            save(root / "imagesTr" / name, array, affine)
    content = {
        "channel_names": {str(c): "CT" for c in range(channels)},
        "labels": LABELS,
        "numTraining": number,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(content))


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def cohort_of(data, cache, **settings):
    settings = {"spacing": None} | settings
    return read_cohort(data, cache=cache, **settings)


def prepare(data, cache, **settings):
    cohort = cohort_of(data, cache, **settings)
    return prepare_case(cohort, cohort.cases[0])


def entries(cache):
    return sorted(path.parent.name for path in cache.glob("*/case.json"))


def contents(case):
    arrays = {name: getattr(case, name)() for name in ARRAYS}
    return {name: array.copy() for name, array in arrays.items()}


def assert_equal(case, other):
    facts = [
        {k: v for k, v in dataclasses.asdict(c).items() if k != "folder"}
        for c in (case, other)
    ]
    assert facts[0] == facts[1]
    for name, array in contents(case).items():
        assert np.array_equal(array, contents(other)[name])


def forbid_reading(monkeypatch):
    def refuse(path, **options):
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(preparation, "load_channels", refuse)
    monkeypatch.setattr(preparation, "read_class_map", refuse)


# What an entry holds.


def test_ct_is_stored_clipped_on_its_own_grid(data, cache):
    case = prepare(data, cache)
    scan = nib.load(data / "imagesTr/case_0_0000.nii.gz")
    expected = np.clip(np.asarray(scan.dataobj), -1000, 1000)
    assert case.image().dtype == np.int16
    assert np.array_equal(case.image()[0], expected)
    assert case.shape == (9, 10, 11)
    assert case.size == 990
    assert case.spacing == (1, 1, 1)
    assert case.outside == (-1000,)
    assert case.scales == (1 / 218,)
    assert case.offsets == (0,)
    assert np.array_equal(case.affine, np.eye(4))


def test_labels_and_index_belong_together(data, cache):
    case = prepare(data, cache)
    labels = case.labels()
    assert labels.dtype == np.uint8
    counts = [990 - 168, 112, 56]
    assert case.counts == tuple(counts)
    flat = labels.ravel()[case.positions()]
    assert flat.tolist() == [1] * 112 + [2] * 56
    assert case.positions().nbytes <= 4 * np.count_nonzero(labels)
    assert case.missing == ()


def test_arrays_are_mapped_and_not_loaded(data, cache):
    case = prepare(data, cache)
    for name in ARRAYS:
        assert isinstance(getattr(case, name)(), np.memmap)


def test_scan_is_read_normalized(data, cache):
    case = prepare(data, cache)
    read = case.scan().read((0, 0, 0), case.shape)[..., 0]
    np.testing.assert_allclose(read, case.image()[0] / 218, rtol=1e-6)


def test_chosen_labels_only(data, cache):
    case = prepare(data, cache, labels=["spleen"])
    assert case.counts == (990 - 56, 56)


def test_any_orientation_becomes_canonical(tmp_path, cache):
    write_data(tmp_path / "ras")
    straight = prepare(tmp_path / "ras", cache)
    # The same voxels, written with axes P, L and I.
    for path in (tmp_path / "ras").rglob("*.nii.gz"):
        image = nib.load(path)
        codes = nib.orientations.axcodes2ornt("PLI")
        start = nib.io_orientation(image.affine)
        change = nib.orientations.ornt_transform(start, codes)
        turned = image.as_reoriented(change)
        target = tmp_path / "pli" / path.relative_to(tmp_path / "ras")
        save(target, np.asarray(turned.dataobj), turned.affine)
    shutil.copy(tmp_path / "ras/dataset.json", tmp_path / "pli/dataset.json")
    assert_equal(prepare(tmp_path / "pli", cache), straight)
    assert len(entries(cache)) == 2


def test_spacing_is_that_of_training(data, cache):
    case = prepare(data, cache, spacing=(2, 2, 3))
    assert case.spacing == (2, 2, 3)
    assert case.shape == (4, 5, 4)
    assert case.image().shape == (1, 4, 5, 4)
    assert case.labels().shape == (4, 5, 4)
    affine = np.array(case.affine)
    np.testing.assert_allclose(np.diag(affine), (2, 2, 3, 1))
    # Four voxels of 2 mm around the middle of nine of 1 mm, at 4 mm.
    assert affine[0, 3] == pytest.approx(1)


def test_channels_are_kept_in_order(tmp_path, cache):
    write_data(tmp_path / "data", channels=2)
    case = prepare(tmp_path / "data", cache)
    assert case.image().shape == (2, 9, 10, 11)
    for channel in range(2):
        path = tmp_path / f"data/imagesTr/case_0_{channel:04d}.nii.gz"
        expected = np.clip(np.asarray(nib.load(path).dataobj), -1000, 1000)
        assert np.array_equal(case.image()[channel], expected)
    assert case.context().shape == (2, 11, 12, 13)


def test_structure_without_mask_is_missing(tmp_path, cache):
    stem = "10000100_1_CTce_ThAb"
    array = np.zeros((6, 5, 4), np.int16)
    array[2:4] = 1
    save(tmp_path / f"d/Volumes/{stem}.nii.gz", 9 * array)
    save(tmp_path / f"d/Segmentations/{stem}_58_1.nii.gz", array)
    save(tmp_path / f"d/Segmentations/{stem}_29662_1.nii.gz", array)
    other = "10000101_1_CTce_ThAb"
    save(tmp_path / f"d/Volumes/{other}.nii.gz", 9 * array)
    save(tmp_path / f"d/Segmentations/{other}_29663_1.nii.gz", array)
    cohort = cohort_of(tmp_path / "d", cache, labels=["kidney", "liver"])
    first, second = prepare_cohort(cohort)
    assert first.missing == (1,)
    assert second.missing == (1, 2)
    assert first.labels()[2, 0, 0] in (1, 2)
    assert (first.merged, second.merged) == ((1,), (1, 2))
    for partial in ("exclude", "background"):
        other = dataclasses.replace(cohort, partial=partial)
        assert [case.merged for case in prepare_cohort(other)] == [(), ()]


def turned(path, codes):
    """Stores a scan with axes of other directions, in the same place."""
    image = nib.load(path)
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
    )
    # The file is read before it is replaced.
    data = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    nib.save(data.as_reoriented(change), path)


@pytest.mark.parametrize("codes", ["LPS", "SRA"])
def test_labels_with_other_axes_are_read(data, cache, codes):
    expected = prepare(data, cache)
    turned(data / "labelsTr/case_0.nii.gz", codes)
    case = prepare(data, cache)
    assert case.folder != expected.folder
    assert_equal(case, expected)
    (report,) = inspect_cohort(cohort_of(data, cache))
    assert report.trainable and not report.warnings


@pytest.mark.parametrize("channel", [0, 1])
def test_channels_with_other_axes_are_read(tmp_path, cache, channel):
    root = tmp_path / "two"
    write_data(root, channels=2)
    expected = prepare(root, cache)
    turned(root / f"imagesTr/case_0_{channel:04d}.nii.gz", "PIL")
    case = prepare(root, cache)
    assert case.folder != expected.folder
    assert_equal(case, expected)
    (report,) = inspect_cohort(cohort_of(root, cache))
    assert report.trainable


def test_masks_with_other_axes_are_read(tmp_path, cache):
    stem = "10000100_1_CTce_ThAb"
    array = np.zeros((6, 5, 4), np.int16)
    array[2:4, 1] = 1
    affine = np.diag([1.0, 2, 3, 1])
    save(tmp_path / f"d/Volumes/{stem}.nii.gz", 9 * array, affine)
    for radlex, mask in ((58, array), (86, 1 - array)):
        path = tmp_path / f"d/Segmentations/{stem}_{radlex}_1.nii.gz"
        save(path, mask, affine)
    labels = ["liver", "spleen"]
    expected = prepare(tmp_path / "d", cache, labels=labels)
    turned(path, "LSP")
    assert_equal(prepare(tmp_path / "d", cache, labels=labels), expected)
    (report,) = inspect_cohort(cohort_of(tmp_path / "d", cache, labels=labels))
    assert report.trainable and report.shares["spleen"] == 1 - 8 / 120


def test_labels_at_another_place_are_refused(data, cache):
    path = data / "labelsTr/case_0.nii.gz"
    turned(path, "LPS")
    image = nib.load(path)
    moved = image.affine.copy()
    moved[0, 3] += 1
    save(path, np.asarray(image.dataobj), moved)
    with pytest.raises(InputError, match="lies elsewhere"):
        prepare(data, cache)
    (report,) = inspect_cohort(cohort_of(data, cache))
    assert "lies elsewhere" in report.problems[0]


def test_scan_of_which_nothing_is_left_is_refused(tmp_path, cache):
    write_data(tmp_path / "data", affine=np.diag([5e-4, 5e-4, 5e-4, 1]))
    spacing = (1.0, 1.0, 1.5)
    with pytest.raises(InputError, match="case_0_0000.nii.gz: has 9x10x11"):
        prepare(tmp_path / "data", cache, spacing=spacing)
    cohort = cohort_of(tmp_path / "data", cache, spacing=spacing)
    (report,) = inspect_cohort(cohort)
    assert "which would be no more than 1x1x1" in report.problems[0]
    assert prepare(tmp_path / "data", cache).shape == (9, 10, 11)


def test_scan_larger_than_the_memory_is_refused(data, cache, monkeypatch):
    limit = "keras_isample.volumes.training_shape.memory_limit"
    monkeypatch.setattr(limit, lambda: 10**6)
    with pytest.raises(InputError, match="case_0_0000.nii.gz: has .* GiB"):
        prepare(data, cache, spacing=(0.1, 0.1, 0.1))
    (report,) = inspect_cohort(cohort_of(data, cache, spacing=(0.1,) * 3))
    assert "GiB" in report.problems[0]


def test_a_container_of_little_memory_prepares_few_scans_at_once(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for memory, workers in ((10**9, 1), (13 * 10**9, 2), (10**12, 8)):
        monkeypatch.setattr(preparation, "machine_memory", lambda m=memory: m)
        assert preparation._default_workers() == workers


def test_voxels_in_the_label_files_are_counted(data, cache):
    case = prepare(data, cache, spacing=(2.0, 2.0, 2.0))
    assert case.annotated == (990 - 168, 112, 56)
    assert sum(case.counts) == case.size != 990


def test_constant_and_few_gray_levels_are_warned_of(tmp_path, cache, caplog):
    write_data(tmp_path / "data", 4)
    for index, levels in enumerate((1, 3, 5, 40)):
        array = np.arange(990).reshape(9, 10, 11) % levels + 7
        name = f"imagesTr/case_{index}_0000.nii.gz"
        save(tmp_path / "data" / name, array.astype(np.int16))
    cohort = cohort_of(tmp_path / "data", cache, intensity="zscore")
    # Of the cache as well as of the files.
    for _ in range(2):
        caplog.clear()
        cases = prepare_cohort(cohort)
        assert [case.levels for case in cases] == [(1,), (3,), (5,), (16,)]
        constant, few = (record.getMessage() for record in caplog.records)
        assert constant.startswith("1 of 4 cases (case_0) are constant")
        assert few.startswith(
            "2 of 4 cases (case_1, case_2) have fewer than 16 gray levels"
        )
    for report, number in zip(
        inspect_cohort(cohort), (1, 1, 1, 0), strict=True
    ):
        assert report.trainable and len(report.warnings) == number


def test_half_a_class_that_is_merged_is_trained_as_background(make_case):
    case = make_case([[[0, 1, 2, 2, 3, 0]]])
    merged = dataclasses.replace(case, missing=(2,), merged=(2,))
    assert case.trained_counts == case.counts == (2, 1, 2, 1)
    assert merged.trained_counts == (4, 1, 0, 1)
    assert merged.trained_labels(merged.labels()).tolist() == [
        [[0, 1, 0, 0, 3, 0]]
    ]
    assert merged.labels().tolist() == [[[0, 1, 2, 2, 3, 0]]]


def test_labels_are_not_copied_where_nothing_was_annotated(make_case):
    case = make_case([[[0, 1, 3, 0]]], num_classes=4)
    labels = case.labels()
    for merged in ((), (2,)):
        case = dataclasses.replace(case, merged=merged)
        assert case.trained_labels(labels) is labels
        assert case.trained_counts == (2, 1, 0, 1)


# Box means.


def naive_means(stored, outside, width):
    pad = np.pad(stored.astype(np.float64), width - 1, constant_values=outside)
    shape = [n + width - 1 for n in stored.shape]
    result = np.empty(shape)
    for place in np.ndindex(*shape):
        box = tuple(slice(p, p + width) for p in place)
        result[place] = pad[box].mean()
    return result


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 2, 9), (3, 3, 3)])
@pytest.mark.parametrize("outside", [-1000, -32768])
def test_box_means_are_means_of_boxes(width, shape, outside):
    rng = np.random.default_rng(0)
    stored = rng.integers(-1000, 1000, shape).astype(np.int16)
    means = box_means(stored, outside, width)
    expected = naive_means(stored, outside, width)
    assert means.dtype == np.int16
    assert means.shape == expected.shape
    # Rounded to whole units, and sums in float32 may fall on the other side.
    assert np.abs(means - expected).max() <= 0.51


def test_box_mean_of_the_first_place_holds_one_voxel_of_the_scan():
    stored = np.full((4, 4, 4), 1700, np.int16)
    means = box_means(stored, -1000, 3)
    assert means[0, 0, 0] == -1000 + 2700 / 27
    assert means[2, 2, 2] == 1700


def test_box_means_do_not_depend_on_the_rows_at_once(monkeypatch):
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 6, 5))
    array = array.astype(np.int16)
    whole = box_means(array, -1000, 3)
    for rows in (1, 2, 4):
        monkeypatch.setattr(preparation, "_ROWS", rows)
        assert np.array_equal(box_means(array, -1000, 3), whole)


def test_extreme_values_do_not_overflow():
    stored = np.full((4, 4, 4), 32767, np.int16)
    assert box_means(stored, -32768, 3).max() == 32767
    stored = np.full((4, 4, 4), -32768, np.int16)
    assert box_means(stored, -32768, 3).min() == -32768


@pytest.mark.parametrize("width", [3, 4])
def test_context_is_the_box_means_of_the_image(data, cache, width):
    cohort = cohort_of(data, cache)
    case = prepare_case(cohort, cohort.cases[0], context_width=width)
    expected = box_means(case.image()[0], -1000, width)
    assert np.array_equal(case.context()[0], expected)


# Keys.


def test_second_time_nothing_is_read(data, cache, monkeypatch):
    first = prepare(data, cache)
    forbid_reading(monkeypatch)

    def refuse(path):
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(preparation, "file_digest", refuse)
    assert_equal(prepare(data, cache), first)


def test_reading_would_be_seen(data, cache, monkeypatch):
    forbid_reading(monkeypatch)
    with pytest.raises(AssertionError, match="is read"):
        prepare(data, cache)


@pytest.mark.parametrize("part", ["imagesTr", "labelsTr"])
def test_changed_file_is_prepared_anew(data, cache, part):
    first = prepare(data, cache)
    path = next((data / part).glob("*.nii.gz"))
    array = np.asarray(nib.load(path).dataobj).copy()
    array[0, 0, 0] = 1
    save(path, array)
    second = prepare(data, cache)
    assert second.folder != first.folder
    name = "image" if part == "imagesTr" else "labels"
    assert contents(second)[name].ravel()[0] == 1


def test_change_within_one_tick_and_of_equal_size_is_seen(data, cache):
    path = data / "imagesTr/case_0_0000.nii.gz"
    array = np.asarray(nib.load(path).dataobj).copy()
    plain = path.with_name("case_0_0000.nii")
    path.unlink()
    (data / "dataset.json").write_text(
        (data / "dataset.json").read_text().replace(".nii.gz", ".nii")
    )
    labels = data / "labelsTr/case_0.nii.gz"
    save(data / "labelsTr/case_0.nii", np.asarray(nib.load(labels).dataobj))
    labels.unlink()
    save(plain, array)
    first = prepare(data, cache)
    facts = os.stat(plain)
    array[0, 0, 0] = 123
    save(plain, array)
    os.utime(plain, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert os.stat(plain).st_size == facts.st_size
    assert prepare(data, cache).folder != first.folder


@pytest.mark.parametrize(
    "settings",
    [
        {"spacing": (2, 2, 2)},
        {"intensity": "zscore"},
        {"labels": ["spleen"]},
        {"labels": ["spleen", "liver"]},
    ],
)
def test_changed_settings_are_prepared_anew(data, cache, settings):
    first = prepare(data, cache)
    second = prepare(data, cache, **settings)
    assert second.folder != first.folder
    assert len(entries(cache)) == 2
    assert_equal(prepare(data, cache), first)


def test_other_width_of_the_context_is_prepared_anew(data, cache):
    cohort = cohort_of(data, cache)
    folders = {
        prepare_case(cohort, cohort.cases[0], context_width=width).folder
        for width in (3, 4)
    }
    assert len(folders) == 2


@pytest.mark.parametrize("partial", ["exclude", "background"])
def test_treatment_of_partial_cases_changes_no_entry(data, cache, partial):
    first = prepare(data, cache)
    assert prepare(data, cache, partial=partial).folder == first.folder


def test_same_content_elsewhere_shares_the_entry(
    data, cache, tmp_path, monkeypatch
):
    first = prepare(data, cache)
    shutil.copytree(data, tmp_path / "copy")
    forbid_reading(monkeypatch)
    assert prepare(tmp_path / "copy", cache).folder == first.folder
    assert len(entries(cache)) == 1


def test_touched_file_shares_the_entry(data, cache, monkeypatch):
    first = prepare(data, cache)
    for path in data.rglob("*.nii.gz"):
        os.utime(path)
    forbid_reading(monkeypatch)
    assert prepare(data, cache).folder == first.folder


def test_default_cache_follows_the_desktop_standard(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "keras-isample"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache/keras-isample"


# Cohorts.


def test_cases_come_in_order_with_progress(tmp_path, cache):
    write_data(tmp_path / "data", 3)
    cohort = cohort_of(tmp_path / "data", cache)
    calls = []
    cases = prepare_cohort(cohort, progress=lambda *c: calls.append(c))
    assert [case.name for case in cases] == ["case_0", "case_1", "case_2"]
    assert all(isinstance(case, PreparedCase) for case in cases)
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_broken_scan_is_named_and_leaves_nothing(tmp_path, cache):
    write_data(tmp_path / "data", 2)
    path = tmp_path / "data/imagesTr/case_1_0000.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError) as error:
        prepare_cohort(cohort_of(tmp_path / "data", cache))
    assert str(error.value).startswith(str(path))
    assert len(entries(cache)) == 1
    assert os.listdir(cache / "unfinished") == []


def test_prepared_cases_are_opened_without_reading_them(
    data, cache, monkeypatch
):
    prepare(data, cache)
    cohort = cohort_of(data, cache)
    many = dataclasses.replace(cohort, cases=cohort.cases * 300)

    def refuse(*args, **options):
        raise AssertionError("a file of the case was read")

    monkeypatch.setattr(preparation, "file_digest", refuse)
    monkeypatch.setattr(preparation, "load_channels", refuse)
    monkeypatch.setattr(preparation, "read_class_map", refuse)
    monkeypatch.setattr(np, "load", refuse)
    assert len(prepare_cohort(many)) == 300


# Damage, death and rivals.


@pytest.mark.parametrize("name", [*ARRAYS, "case"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_damaged_entry_is_made_again(data, cache, name, damage):
    first = prepare(data, cache)
    expected = contents(first)
    ending = "json" if name == "case" else "npy"
    path = first.folder / f"{name}.{ending}"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else -1])
    second = prepare(data, cache)
    assert second.folder == first.folder
    for name, array in contents(second).items():
        assert np.array_equal(array, expected[name])
    assert sorted(os.listdir(second.folder)) == sorted(
        ["case.json", *(f"{name}.npy" for name in ARRAYS)]
    )
    assert os.listdir(cache / "unfinished") == []


@pytest.mark.parametrize("text", ["[]", "{}", '{"shape": 3}', "null", "5"])
def test_entry_of_another_kind_is_made_again(data, cache, text):
    first = prepare(data, cache)
    expected = contents(first)
    (first.folder / "case.json").write_text(text)
    second = prepare(data, cache)
    assert np.array_equal(contents(second)["image"], expected["image"])


@pytest.mark.parametrize("text", ["", "nonsense", "../.."])
def test_damaged_reference_is_made_again(data, cache, text):
    first = prepare(data, cache)
    reference = next((cache / "references").iterdir())
    reference.write_text(text)
    assert_equal(prepare(data, cache), first)
    assert reference.read_text() == first.folder.name


# Waits for a file at a chosen point, so that a test can kill it there.
WRITER = """
import os, sys, time
from keras_isample.data import preparation
from keras_isample.data.cohort import read_cohort

data, cache, point, ready = sys.argv[1:]

def stop():
    open(ready, "w").close()
    time.sleep(60)

def before(name):
    original = getattr(preparation, name)
    def replacement(*args, **options):
        stop()
        return original(*args, **options)
    setattr(preparation, name, replacement)

if point in ("np.save image", "np.save positions"):
    original = preparation.np.save
    def save(path, array):
        original(path, array)
        if path.stem == point.split()[1]:
            stop()
    preparation.np.save = save
elif point:
    before(point)
cohort = read_cohort(data, spacing=None, cache=cache)
preparation.prepare_cohort(cohort)
"""

POINTS = [
    "load_channels",
    "np.save image",
    "np.save positions",
    "_move_into_place",
    "sync",
]


@pytest.fixture
def start_writer(tmp_path):
    """Function that starts a process that prepares a data set."""
    # The name of the command keeps TensorFlow from being imported.
    script = tmp_path / "keras-isample"
    script.write_text(WRITER)
    started = []

    def start(data, cache, point=""):
        ready = tmp_path / f"ready{len(started)}"
        arguments = [data, cache, point, ready]
        process = subprocess.Popen([sys.executable, script, *arguments])
        started.append(process)
        if point:
            limit = time.monotonic() + 600
            while not ready.exists() and process.poll() is None:
                assert time.monotonic() < limit
                time.sleep(0.01)
            assert process.poll() is None
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("point", POINTS)
def test_killed_writer_leaves_the_cache_usable(
    data, cache, start_writer, point
):
    process = start_writer(data, cache, point)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert entries(cache) == []
    assert len(os.listdir(cache / "unfinished")) == 2
    cohort = cohort_of(data, cache)
    (case,) = prepare_cohort(cohort)
    assert os.listdir(cache / "unfinished") == []
    assert len(entries(cache)) == 1
    assert np.count_nonzero(case.labels()) == 168


def test_living_writer_is_left_alone(data, cache, start_writer):
    start_writer(data, cache, "_move_into_place")
    (case,) = prepare_cohort(cohort_of(data, cache))
    assert np.count_nonzero(case.labels()) == 168
    assert len(os.listdir(cache / "unfinished")) == 2


@pytest.fixture
def without_locks(monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)


def test_cache_works_on_a_file_system_without_locks(
    data, cache, without_locks, caplog
):
    (case,) = prepare_cohort(cohort_of(data, cache))
    assert np.count_nonzero(case.labels()) == 168
    assert os.listdir(cache / "unfinished") == []
    (message,) = [m for m in caplog.messages if "has no locks" in m]
    assert message.startswith(str(cache))


def test_without_locks_only_old_work_is_given_up(data, cache, without_locks):
    unfinished = cache / "unfinished"
    for name in ("new", "old"):
        (unfinished / name).mkdir(parents=True)
    os.utime(unfinished / "old", (0, 0))
    prepare_cohort(cohort_of(data, cache))
    assert os.listdir(unfinished) == ["new"]


def test_full_disk_names_the_cache_and_leaves_nothing(data, cache, monkeypatch):
    def fail(path, array):
        raise OSError(f"{array.size} requested and 0 written")

    monkeypatch.setattr(preparation.np, "save", fail)
    with pytest.raises(DiskFull) as error:
        prepare_cohort(cohort_of(data, cache))
    assert error.value.source == str(cache)
    assert os.listdir(cache / "unfinished") == []
    assert entries(cache) == []


def test_second_of_two_writers_uses_the_work_of_the_first(data, cache):
    cohort = cohort_of(data, cache)
    entry = cache / "entry"
    cache.mkdir()
    preparation._write_entry(cohort, cohort.cases[0], entry, 3)
    made = os.stat(entry / "case.json").st_ino
    preparation._write_entry(cohort, cohort.cases[0], entry, 3)
    assert os.stat(entry / "case.json").st_ino == made
    assert os.listdir(cache / "unfinished") == []


def test_two_processes_may_prepare_the_same_cases(
    tmp_path, cache, start_writer
):
    write_data(tmp_path / "data", 6)
    processes = [start_writer(tmp_path / "data", cache) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(entries(cache)) == 6
    assert os.listdir(cache / "unfinished") == []
    rebuilt = prepare_cohort(cohort_of(tmp_path / "data", tmp_path / "other"))
    shared = prepare_cohort(cohort_of(tmp_path / "data", cache))
    for case, other in zip(shared, rebuilt, strict=True):
        assert_equal(case, other)


def test_ct_that_has_no_hounsfield_units_is_pointed_out(make_case, caplog):
    case = make_case(np.ones((4, 4, 4)), num_classes=2)
    odd = dataclasses.replace(case, name="odd", extremes=((0, 900),))
    preparation._warn_of_other_units([case, odd])
    assert "1 of 2 cases (odd)" in caplog.text


def test_largest_components_of_each_class_are_known(data):
    path = data / "labelsTr/case_0.nii.gz"
    labels = np.asarray(nib.load(path).dataobj).copy()
    labels[2:6, 3:7, 5] = 0
    labels[0, 0, 0] = 1
    save(path, labels)
    cohort = read_cohort(data, spacing=None)
    (case,) = prepare_cohort(cohort)
    parts = [4 * 4 * 3, 4 * 4 * 3]
    assert [list(sizes) for sizes in case.components] == [
        [],
        parts,
        [2 * 4 * 7],
    ]
