"""The synthetic brains and their automatic labels."""

import json

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from keras_isample.data.cohort import read_cohort
from keras_isample.data.inspection import inspect_cohort
from keras_isample.data.phantom_brain import draw_brain
from keras_isample.data.phantom_brain import write_brain_phantom
from keras_isample.data.phantom_brain_labels import BIASES
from keras_isample.data.phantom_brain_labels import STRUCTURES
from keras_isample.data.phantom_brain_labels import automatic_labels
from keras_isample.errors import InputError

SPACING = (2.0, 2.0, 2.0)
SMALL = {"shape": (32, 32, 32), "seed": 3}


@pytest.fixture(scope="module")
def brains():
    """Image, manual labels and automatic labels of two heads."""
    result = []
    for seed in (0, 1):
        image, labels = draw_brain(shape=(96,) * 3, spacing=SPACING, seed=seed)
        result.append((image, labels, automatic_labels(labels, SPACING)))
    return result


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "brain"
    return write_brain_phantom(path, cases=7, **SMALL)


def sizes(labels):
    """Voxels of each structure, by name."""
    counts = np.bincount(labels.ravel(), minlength=256)
    return {name: int(counts[value]) for name, value in STRUCTURES.items()}


def dice(one, other, name):
    value = STRUCTURES[name]
    one, other = one == value, other == value
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def center(labels, name):
    return np.array(ndimage.center_of_mass(labels == STRUCTURES[name]))


def test_there_are_27_structures_of_freesurfer():
    assert len(STRUCTURES) == 27
    assert STRUCTURES["Left-Hippocampus"] == 17
    assert STRUCTURES["Right-Hippocampus"] == 53
    assert STRUCTURES["Brain-Stem"] == 16


def test_every_structure_is_drawn(brains):
    for image, labels, _ in brains:
        assert set(np.unique(labels)) == {0, *STRUCTURES.values()}
        assert image.dtype == labels.dtype == np.uint8


def test_sizes_are_those_of_brains_in_ml(brains):
    bounds = {
        "Cerebral-White-Matter": (130, 330),
        "Cerebral-Cortex": (130, 330),
        "Cerebellum-Cortex": (30, 75),
        "Lateral-Ventricle": (3, 20),
        "Thalamus-Proper": (3, 9),
        "Putamen": (3, 8),
        "Caudate": (2, 6),
        "Hippocampus": (2, 6),
        "Pallidum": (0.8, 3),
        "Amygdala": (0.8, 3),
    }
    for _, labels, _ in brains:
        found = sizes(labels)
        for name, (low, high) in bounds.items():
            for side in ("Left", "Right"):
                assert low < 0.008 * found[f"{side}-{name}"] < high, name


def test_largest_and_smallest_differ_by_more_than_a_hundred(brains):
    for _, labels, _ in brains:
        found = sizes(labels).values()
        assert max(found) > 100 * min(found)


def test_left_is_where_x_is_small(brains):
    for _, labels, _ in brains:
        for name in STRUCTURES:
            if name.startswith("Left-"):
                right = center(labels, name.replace("Left", "Right"))
                assert center(labels, name)[0] < right[0] - 3


def test_structures_lie_in_their_order(brains):
    for _, labels, _ in brains:
        for side in ("Left-", "Right-"):
            hippocampus = center(labels, side + "Hippocampus")
            assert center(labels, side + "Amygdala")[1] > hippocampus[1] + 3
            thalamus = center(labels, side + "Thalamus-Proper")
            assert center(labels, side + "Caudate")[1] > thalamus[1] + 3
            assert hippocampus[2] < thalamus[2]
        stem = center(labels, "Brain-Stem")
        assert stem[2] < center(labels, "3rd-Ventricle")[2]
        assert center(labels, "4th-Ventricle")[1] < stem[1]


def test_tissues_are_as_bright_as_in_t1(brains):
    for image, labels, _ in brains:
        white, cortex, fluid = (
            np.median(image[labels == STRUCTURES[name]])
            for name in (
                "Left-Cerebral-White-Matter",
                "Left-Cerebral-Cortex",
                "Left-Lateral-Ventricle",
            )
        )
        assert white > 1.15 * cortex > 1.15 * fluid


def test_anatomy_varies(brains):
    (_, one, _), (_, other, _) = brains
    assert dice(one, other, "Left-Hippocampus") < 0.9
    assert dice(one, other, "Left-Cerebral-Cortex") < 0.8


# The automatic labels.


def test_automatic_labels_are_wrong_as_the_table_says(brains):
    for _, labels, automatic in brains:
        manual, auto = sizes(labels), sizes(automatic)
        for bias in BIASES:
            for name in STRUCTURES:
                sideless = name.removeprefix("Left-").removeprefix("Right-")
                if sideless != bias.structure:
                    continue
                ratio = auto[name] / manual[name]
                if bias.grow > 0:
                    assert 1.3 < ratio < 2.5, name
                elif bias.grow < 0:
                    assert 0.3 < ratio < 0.8, name
                assert 0.45 < dice(labels, automatic, name) < 0.99, name


def test_shifted_structures_lie_elsewhere(brains):
    for _, labels, automatic in brains:
        name = "Pallidum"
        for side, sign in (("Left", -1), ("Right", 1)):
            there = center(automatic, f"{side}-{name}")
            moved = there - center(labels, f"{side}-{name}")
            assert 0.4 < sign * moved[0] < 1.5
        moved = center(automatic, "Left-VentralDC")
        assert 0.7 < (moved - center(labels, "Left-VentralDC"))[1] < 1.8


def test_structures_without_bias_hardly_change(brains):
    for _, labels, automatic in brains:
        for name in ("Left-Thalamus-Proper", "Brain-Stem", "3rd-Ventricle"):
            assert dice(labels, automatic, name) > 0.9


def test_background_stays_background(brains):
    for _, labels, automatic in brains:
        changed = (labels == 0) != (automatic == 0)
        assert changed.sum() < 0.01 * (labels > 0).sum()
        assert automatic.dtype == labels.dtype


def test_ball_grows_and_shrinks_by_what_the_table_says():
    grid = np.stack(np.indices((41, 41, 41)), axis=-1) - 20
    away = np.linalg.norm(grid, axis=-1)
    for name, grow in (("Left-Hippocampus", 1.5), ("Left-Putamen", -1.2)):
        labels = np.full(away.shape, 2, np.uint8)
        labels[away < 10] = STRUCTURES[name]
        found = sizes(automatic_labels(labels, (1.0, 1.0, 1.0)))[name]
        radius = (3 * found / (4 * np.pi)) ** (1 / 3)
        assert radius == pytest.approx(10 + grow, abs=0.5)


def test_absent_structures_change_nothing():
    labels = np.zeros((8, 8, 8), np.uint8)
    assert np.array_equal(automatic_labels(labels, SPACING), labels)


# What is written.


def test_both_data_sets_are_recognized(written, tmp_path):
    names = {}
    for part in ("auto", "manual"):
        cohort = read_cohort(written / part, intensity="zscore", cache=tmp_path)
        assert len(cohort.classes) == 27
        assert cohort.channel_names == ("T1",)
        names[part] = [[case.name for case in c.cases] for c in cohort.split()]
    assert names == {
        "auto": [
            ["brain_000", "brain_001"],
            ["brain_002"],
            ["brain_005", "brain_006"],
        ],
        "manual": [["brain_003", "brain_004"], [], ["brain_005", "brain_006"]],
    }


def test_test_cases_have_true_labels_in_both(written):
    for folder in ("images", "labels"):
        file = f"{folder}/brain_006.nii.gz"
        one, other = (written / part / file for part in ("auto", "manual"))
        assert one.read_bytes() == other.read_bytes()


def test_pretraining_cases_have_automatic_labels(written):
    path = written / "auto/labels/brain_000.nii.gz"
    spacing = nib.load(path).header.get_zooms()
    assert spacing == (6, 6, 6)
    stored = np.asarray(nib.load(path).dataobj)
    draw = int(np.random.default_rng([3, 0]).integers(1 << 31))
    _, true = draw_brain(shape=(32,) * 3, spacing=(6, 6, 6), seed=draw)
    assert np.array_equal(stored, automatic_labels(true, (6, 6, 6)))
    assert not np.array_equal(stored, true)


def test_bias_is_told_beside_the_data(written):
    facts = json.loads((written / "phantom.json").read_text())
    assert facts["kind"] == "brain"
    assert [b["structure"] for b in facts["biases"]] == [
        bias.structure for bias in BIASES
    ]


def test_cases_can_be_trained_on(written, tmp_path):
    cohort = read_cohort(
        written / "manual",
        ["Left-Cerebral-White-Matter", "Brain-Stem"],
        intensity="zscore",
        cache=tmp_path,
    )
    reports = inspect_cohort(cohort)
    assert all(r.trainable and not r.warnings for r in reports)
    assert {r.orientation for r in reports} == {"RAS"}


def test_same_seed_writes_the_same_files(written, tmp_path):
    again = write_brain_phantom(tmp_path / "brain", cases=7, **SMALL)
    for path in written.rglob("*.*"):
        other = again / path.relative_to(written)
        assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"cases": 2}, "cases: received 2"),
        ({"shape": (96, 96)}, "shape: received (96, 96)"),
        ({"spacing": (2, 2, 0)}, "spacing: received (2.0, 2.0, 0.0)"),
        ({"seed": -1}, "seed: received -1"),
    ],
)
def test_wrong_settings_are_one_line(tmp_path, settings, words):
    with pytest.raises(InputError) as error:
        write_brain_phantom(tmp_path / "brain", **settings)
    assert str(error.value).startswith(words)
    assert list(tmp_path.iterdir()) == []
