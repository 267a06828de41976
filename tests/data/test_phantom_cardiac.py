"""The synthetic short-axis slices."""

import time

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.phantom_cardiac import STRUCTURES
from keras_isample.data.phantom_cardiac import draw_slice
from keras_isample.data.phantom_cardiac import write_cardiac_phantom
from keras_isample.data.phantom_splits import brain_splits
from keras_isample.data.phantom_splits import cardiac_splits
from keras_isample.errors import InputError

CAVITY, MUSCLE, RIGHT = STRUCTURES.values()


@pytest.fixture(scope="module")
def slices():
    """200 slices and the seconds that they took."""
    start = time.process_time()
    drawn = [draw_slice(seed=seed) for seed in range(200)]
    return drawn, time.process_time() - start


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "heart"
    return write_cardiac_phantom(path, cases=20, shape=(48, 40), seed=3)


def test_slices_are_drawn_fast(slices):
    assert slices[1] < 20


def test_every_slice_has_a_closed_ring_around_one_cavity(slices):
    for _, label_map in slices[0]:
        cavity = label_map == CAVITY
        ring = label_map == MUSCLE
        assert ndimage.label(cavity)[1] == 1
        assert np.array_equal(
            ndimage.binary_dilation(cavity) & ~cavity,
            ndimage.binary_dilation(cavity) & ring,
        )


def test_right_ventricle_touches_the_ring_or_is_absent(slices):
    absent = 0
    for _, label_map in slices[0]:
        right = label_map == RIGHT
        if not right.any():
            absent += 1
            continue
        assert (ndimage.binary_dilation(right) & (label_map == MUSCLE)).any()
    assert 2 <= absent <= 30


def test_sizes_are_those_of_hearts(slices):
    sizes = np.array(
        [np.bincount(labels.ravel(), minlength=4) for _, labels in slices[0]]
    )
    shares = sizes.mean(axis=0) / 96**2
    assert 0.02 < shares[CAVITY] < 0.08
    assert 0.04 < shares[MUSCLE] < 0.12
    assert 0.02 < shares[RIGHT] < 0.10
    # Some slices lie near the apex.
    assert np.quantile(sizes[:, CAVITY], 0.05) < 120
    assert np.quantile(sizes[:, CAVITY], 0.95) > 400


def test_place_and_direction_vary(slices):
    centers, angles = [], []
    for _, label_map in slices[0]:
        center = np.array(ndimage.center_of_mass(label_map == CAVITY))
        centers.append(center)
        if (label_map == RIGHT).any():
            side = ndimage.center_of_mass(label_map == RIGHT) - center
            angles.append(np.degrees(np.arctan2(side[1], -side[0])))
    assert (np.std(centers, axis=0) > 6).all()
    assert np.std(angles) > 30


def test_blood_is_brighter_than_muscle_in_every_slice(slices):
    for image, label_map in slices[0]:
        blood = image[label_map == CAVITY].mean()
        assert blood > 1.2 * image[label_map == MUSCLE].mean()


def test_surroundings_share_the_intensities(slices):
    overlaps = []
    for image, label_map in slices[0]:
        cavity = image[label_map == CAVITY]
        low, high = np.quantile(cavity, (0.25, 0.95))
        window = (image >= low) & (image <= high)
        overlaps.append(np.mean(label_map[window] != CAVITY))
    assert np.mean(overlaps) > 0.5


def test_classifier_of_single_pixels_stays_under_sixty_percent(slices):
    """Histograms over intensity, x and y, the best of several settings."""
    training, test = slices[0][:100], slices[0][100:180]
    counts = np.zeros((4, 32, 24, 24))
    for image, label_map in training:
        np.add.at(counts, (label_map, *bins(image)), 1)
    counts = ndimage.gaussian_filter(counts, (0, 1, 1, 1)) + 1e-9
    share = counts / counts.sum(axis=(1, 2, 3), keepdims=True)
    scores = []
    # From the most probable class to that of the largest likelihood.
    for power in (0, 0.25, 0.5, 0.75, 1):
        best = np.argmax(counts ** (1 - power) * share**power, axis=0)
        found = [dice(best[bins(i)], labels) for i, labels in test]
        scores.append(np.nanmean(found))
    assert 0.3 < max(scores) < 0.6


def bins(image):
    x, y = np.indices(image.shape)
    return image // 8, x // 4, y // 4


def dice(prediction, reference):
    """Of each structure, nan where it is in neither."""
    scores = []
    for value in STRUCTURES.values():
        one, other = prediction == value, reference == value
        size = one.sum() + other.sum()
        scores.append(2 * (one & other).sum() / size if size else np.nan)
    return scores


def test_same_seed_draws_the_same_slice():
    first, again = draw_slice(seed=5), draw_slice(seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], draw_slice(seed=6)[0])


def test_first_axis_is_the_width():
    image, label_map = draw_slice(shape=(64, 48), seed=0)
    assert image.shape == label_map.shape == (64, 48)
    assert image.dtype == label_map.dtype == np.uint8


def test_phantom_is_a_data_set_of_pictures(written, tmp_path):
    cohort = read_cohort(written, intensity="zscore", cache=tmp_path)
    assert cohort.layout == "images/ + labels/"
    assert cohort.class_names == ("background", *STRUCTURES)
    sizes = [len(part.cases) for part in cohort.split()]
    assert sizes == [10, 2, 8]
    reports = inspect_cohort(cohort)
    assert all(r.trainable and not r.warnings for r in reports)
    assert {r.shape for r in reports} == {(48, 40, 1)}


def test_pictures_are_gray_png_files(written):
    for folder in ("images", "labels"):
        with Image.open(written / folder / "slice_000.png") as picture:
            assert (picture.mode, picture.size) == ("L", (48, 40))


def test_more_cases_leave_the_earlier_ones_as_they_were(written, tmp_path):
    path = write_cardiac_phantom(
        tmp_path / "heart", cases=4, shape=(48, 40), seed=3
    )
    for file in ("images/slice_003.png", "labels/slice_003.png"):
        assert (path / file).read_bytes() == (written / file).read_bytes()


def test_two_hundred_slices_are_split_as_in_the_study():
    splits = cardiac_splits(200)
    counts = {part: splits.count(part) for part in set(splits)}
    assert counts == {"train": 100, "validation": 20, "test": 80}


def test_fifty_brains_are_split_as_in_the_study():
    parts = brain_splits(50)
    counts = {part: parts.count(part) for part in set(parts)}
    assert counts == {
        ("pretraining", "train"): 16,
        ("pretraining", "validation"): 4,
        ("finetuning", "train"): 12,
        ("finetuning", "validation"): 3,
        ("test", "test"): 15,
    }


@pytest.mark.parametrize("cases", [3, 4, 5, 7, 20])
def test_every_part_has_a_case(cases):
    assert len(cardiac_splits(cases)) == len(brain_splits(cases)) == cases
    assert set(cardiac_splits(cases)) == {"train", "validation", "test"}
    steps = {step for step, split in brain_splits(cases) if split == "train"}
    assert steps == {"pretraining", "finetuning"}
    assert ("test", "test") in brain_splits(cases)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"cases": 2}, "cases: received 2"),
        ({"shape": (96, 96, 96)}, "shape: received (96, 96, 96)"),
        ({"shape": (96, 20)}, "shape: received (96, 20)"),
        ({"seed": -1}, "seed: received -1"),
    ],
)
def test_wrong_settings_are_one_line(tmp_path, settings, words):
    with pytest.raises(InputError) as error:
        write_cardiac_phantom(tmp_path / "heart", **settings)
    assert str(error.value).startswith(words)
    assert list(tmp_path.iterdir()) == []
