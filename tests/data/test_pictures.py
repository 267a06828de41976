"""Data sets of PNG and NPY pictures, from listing to prepared arrays."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import format_report
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.listing import list_scans
from keras_isample.data.preparation import prepare_case
from keras_isample.data.preparation import prepare_cohort
from keras_isample.errors import InputError

WIDTH, HEIGHT = 12, 9
NAMES = {"background": 0, "disk": 1, "ring": 2}


def pixels(seed=0, channels=0):
    shape = (HEIGHT, WIDTH) + (channels,) * (channels > 0)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def labels():
    """Rows of a label map: 12 pixels of disk, 4 of ring."""
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[1:4, 2:6] = 1
    array[5, 7:11] = 2
    return array


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def write_data(
    root, *, ending=".png", label_ending=None, channels=0, names=("a", "b")
):
    for seed, name in enumerate(names):
        save(root / f"images/{name}{ending}", pixels(seed, channels))
        save(root / f"labels/{name}{label_ending or ending}", labels())
    write_names(root)
    return root


def write_names(root, **facts):
    content = {"labels": NAMES, "file_ending": ".png", **facts}
    (root / "dataset.json").write_text(json.dumps(content))


def cohort_of(root, tmp_path, **options):
    options = {"intensity": "zscore", "spacing": None, **options}
    return read_cohort(root, cache=tmp_path / "cache", **options)


@pytest.mark.parametrize("ending", [".png", ".npy"])
@pytest.mark.parametrize("label_ending", [".png", ".npy"])
@pytest.mark.parametrize("spacing", [None, (1.0, 1.0, 1.0), (1.0, 1.0, 1.5)])
def test_pictures_are_prepared(tmp_path, ending, label_ending, spacing):
    root = write_data(
        tmp_path / "data", ending=ending, label_ending=label_ending
    )
    cohort = cohort_of(root, tmp_path, spacing=spacing)
    case = prepare_cohort(cohort)[0]
    assert case.shape == (WIDTH, HEIGHT, 1)
    assert case.spacing == (1, 1, 1)
    assert case.counts == (WIDTH * HEIGHT - 16, 12, 4)
    assert np.array_equal(case.labels()[:, :, 0].T, labels())
    scan = case.scan().read((0, 0, 0), case.shape)[:, :, 0, 0].T
    rows = pixels(0).astype(float)
    rows = np.clip(rows, *np.percentile(rows, (1, 99.5)))
    inside = rows > np.percentile(pixels(0), 1)
    expected = (rows - rows[inside].mean()) / rows[inside].std()
    np.testing.assert_allclose(scan, expected, atol=1e-3)


def test_box_means_of_a_picture_reach_outside(tmp_path):
    cohort = cohort_of(write_data(tmp_path / "data"), tmp_path)
    case = prepare_case(cohort, cohort.cases[0], context_width=3)
    means, image = case.context()[0], case.image()[0].astype(float)
    assert means.shape == (WIDTH + 2, HEIGHT + 2, 3)
    outside = case.outside[0]
    for k in range(3):
        box = image[2:5, 3:6, 0].sum() + 18 * outside
        assert abs(means[4, 5, k] - box / 27) <= 0.5


def test_other_spacing_resamples_within_the_picture(tmp_path):
    root = write_data(tmp_path / "data")
    cohort = cohort_of(root, tmp_path, spacing=(2.0, 3.0, 0.1))
    case = prepare_case(cohort, cohort.cases[0])
    assert case.shape == (6, 3, 1)
    assert case.spacing == (2, 3, 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slice_of_a_scan_stays_one(tmp_path, axis):
    shape, spacing = [6, 6, 6], [1.0, 1.0, 1.0]
    shape[axis], spacing[axis] = 1, 8.0
    array = np.random.default_rng(3).integers(0, 3, shape).astype(np.uint8)
    for kind, factor in (("images", 50), ("labels", 1)):
        image = nib.Nifti1Image(factor * array, np.diag([*spacing, 1]))
        (tmp_path / "data" / kind).mkdir(parents=True)
        nib.save(image, tmp_path / "data" / kind / "a.nii.gz")
    write_names(tmp_path / "data", file_ending=".nii.gz")
    cohort = cohort_of(tmp_path / "data", tmp_path, spacing=(1.0, 1.0, 1.5))
    case = prepare_case(cohort, cohort.cases[0])
    assert case.shape[axis] == 1
    assert case.spacing[axis] == 8
    assert np.diag(case.affine)[axis] == 8


def test_nifti_of_two_axes_is_prepared(tmp_path):
    root = tmp_path / "data"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
        array = labels().T if kind == "labels" else pixels().T
        image = nib.Nifti1Image(array, np.eye(4))
        assert image.header["dim"][0] == 2
        nib.save(image, root / kind / "a.nii.gz")
    write_names(root, file_ending=".nii.gz")
    cohort = cohort_of(root, tmp_path)
    case = prepare_case(cohort, cohort.cases[0])
    assert np.array_equal(case.labels()[:, :, 0].T, labels())


def test_rgb_pictures_have_three_channels(tmp_path):
    cohort = cohort_of(write_data(tmp_path / "data", channels=3), tmp_path)
    assert cohort.channel_names == ("red", "green", "blue")
    case = prepare_case(cohort, cohort.cases[0])
    assert case.image().shape == (3, WIDTH, HEIGHT, 1)
    stored = case.image()[:, :, :, 0].transpose(2, 1, 0)
    red, green, blue = np.moveaxis(stored, -1, 0)
    expected = np.moveaxis(pixels(0, 3), -1, 0)
    for channel, other in zip((red, green, blue), expected, strict=True):
        assert np.corrcoef(channel.ravel(), other.ravel())[0, 1] > 0.999


def test_nnunet_layout_of_rgb_pictures_is_read(tmp_path):
    root = tmp_path / "Dataset001_Roads"
    save(root / "imagesTr/road_1_0000.png", pixels(0, 3))
    save(root / "labelsTr/road_1.png", labels())
    write_names(root, channel_names={"0": "R", "1": "G", "2": "B"})
    cohort = cohort_of(root, tmp_path)
    assert cohort.layout == "nnU-Net v2 raw"
    assert cohort.channel_names == ("R", "G", "B")
    assert [path.name for path in cohort.cases[0].images] == ["road_1_0000.png"]
    assert prepare_case(cohort, cohort.cases[0]).image().shape[0] == 3


def test_one_file_a_channel_is_read(tmp_path):
    root = tmp_path / "data"
    for channel in range(2):
        save(root / f"images/a_{channel:04d}.png", pixels(channel))
    save(root / "labels/a.png", labels())
    write_names(root)
    cohort = cohort_of(root, tmp_path)
    assert cohort.channel_names == ("channel_0", "channel_1")
    assert prepare_case(cohort, cohort.cases[0]).image().shape[0] == 2


def test_missing_channel_is_named_with_its_ending(tmp_path):
    root = tmp_path / "data"
    for name in ("a_0000", "a_0001", "b_0000"):
        save(root / f"images/{name}.png", pixels())
    for name in "ab":
        save(root / f"labels/{name}.png", labels())
    cohort = cohort_of(root, tmp_path)
    with pytest.raises(InputError, match=r"b_0001\.png: does not exist"):
        prepare_cohort(cohort)


def test_gray_and_rgb_in_one_data_set_are_refused(tmp_path):
    root = write_data(tmp_path / "data")
    save(root / "images/b.png", pixels(1, 3))
    cohort = cohort_of(root, tmp_path)
    with pytest.raises(InputError) as error:
        prepare_cohort(cohort)
    assert str(error.value).startswith(f"{root / 'images/b.png'}: ")
    assert "has 3 channels" in str(error.value)
    assert "have 1 (channel_0)" in str(error.value)
    assert "\n" not in str(error.value)
    first, second = inspect_cohort(cohort)
    assert first.trainable and not second.trainable
    assert len(second.intensity_range) == 3


def test_rgb_label_map_is_refused(tmp_path):
    root = write_data(tmp_path / "data")
    save(root / "labels/b.png", pixels(1, 3))
    cohort = cohort_of(root, tmp_path)
    with pytest.raises(InputError, match="RGB colors"):
        prepare_cohort(cohort)


def test_label_map_of_another_size_is_refused(tmp_path):
    root = write_data(tmp_path / "data")
    save(root / "labels/b.png", labels().T.copy())
    cohort = cohort_of(root, tmp_path)
    with pytest.raises(InputError, match="has 9x12x1 voxels but"):
        prepare_cohort(cohort)


def test_pictures_are_inspected(tmp_path):
    root = write_data(tmp_path / "data", channels=3)
    cohort = cohort_of(root, tmp_path)
    reports = inspect_cohort(cohort)
    assert all(report.trainable for report in reports)
    assert reports[0].shape == (WIDTH, HEIGHT, 1)
    assert reports[0].shares["disk"] == pytest.approx(12 / (WIDTH * HEIGHT))
    assert len(reports[0].intensity_range) == 3
    assert "12x9x1" in format_report(reports, cohort)


def test_damaged_picture_is_a_problem_of_its_case(tmp_path):
    root = write_data(tmp_path / "data", channels=3)
    path = root / "images/b.png"
    path.write_bytes(path.read_bytes()[:-5])
    cohort = cohort_of(root, tmp_path)
    report = inspect_cohort(cohort)[1]
    assert len(report.problems) == 1
    assert report.problems[0].startswith(f"{path}: is truncated")
    assert report.shape == (WIDTH, HEIGHT, 1)
    assert report.intensity_range == (None, None, None)


def test_pictures_do_not_look_like_ct(tmp_path, caplog):
    cohort = cohort_of(write_data(tmp_path / "d"), tmp_path, intensity="ct")
    reports = inspect_cohort(cohort)
    assert "do not look like Hounsfield units" in reports[0].warnings[0]
    prepare_cohort(cohort)
    assert "do not look like CT" in caplog.text


def test_values_of_pictures_become_names(tmp_path):
    root = write_data(tmp_path / "data")
    (root / "dataset.json").unlink()
    cohort = cohort_of(root, tmp_path)
    assert cohort.class_names == ("background", "label_1", "label_2")


def test_table_names_a_picture_of_three_channels(tmp_path):
    root = write_data(tmp_path / "data", channels=3)
    save(root / "other/c.png", pixels(5, 3))
    lines = ["case,image,label,split", "a,,,train"]
    lines += ["c,other/c.png,labels/b.png,test"]
    (root / "cases.csv").write_text("\n".join(lines) + "\n")
    cohort = cohort_of(root, tmp_path)
    assert cohort.given_split == {"a": "train", "c": "test"}
    assert [case.image().shape[0] for case in prepare_cohort(cohort)] == [3, 3]


def test_previews_beside_scans_are_left_out(tmp_path, caplog):
    for name in ("a.nii.gz", "a.png", "b.npy"):
        (tmp_path / name).touch()
    assert list_scans(tmp_path) == {"a": tmp_path / "a.nii.gz"}
    assert "2 PNG or NPY file(s)" in caplog.text
