"""The synthetic CT data set."""

import errno
import json
import os

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from keras_isample.data import phantom_files
from keras_isample.data.phantom import draw_case
from keras_isample.data.phantom import write_phantom
from keras_isample.data.phantom_trunk import STRUCTURES
from keras_isample.errors import InputError
from keras_isample.volumes.files import DiskFull
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import to_canonical

SMALL = (64, 64, 64)
KIDNEYS = (STRUCTURES["right_kidney"], STRUCTURES["left_kidney"])


@pytest.fixture(scope="module")
def visceral(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "visceral"
    return write_phantom(path, cases=5, shape=SMALL, seed=3)


@pytest.fixture(scope="module")
def nnunet(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "nnunet"
    return write_phantom(path, cases=5, shape=SMALL, seed=3, layout="nnunet")


@pytest.fixture(scope="module")
def drawn():
    return draw_case(shape=(96, 96, 96), spacing=(4.0, 4.0, 4.2), seed=11)


def read(path):
    image = nib.load(path)
    return Volume(np.asarray(image.dataobj), image.affine)


def volumes(folder):
    return sorted(folder.glob("Volumes/*.nii.gz"))


def label_maps(folder):
    return [read(p) for p in sorted(folder.glob("labelsTr/*.nii.gz"))]


def mean_of(drawn, name):
    image, label_map = drawn
    inside = label_map == STRUCTURES[name]
    return float(image[ndimage.binary_erosion(inside)].mean())


def center_of(drawn, name):
    return ndimage.center_of_mass(drawn[1] == STRUCTURES[name])


def test_every_structure_is_drawn(drawn):
    assert set(np.unique(drawn[1])) == {0, *STRUCTURES.values()}


def test_image_and_label_map_have_the_types_of_ct_files(drawn):
    image, label_map = drawn
    assert (image.dtype, label_map.dtype) == (np.int16, np.uint8)
    assert image.shape == label_map.shape == (96, 96, 96)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("right_lung", -890, -780),
        ("liver", 80, 140),
        ("spleen", 110, 205),
        ("right_kidney", 125, 225),
        ("left_kidney", 125, 225),
        ("aorta", 140, 230),
        ("left_psoas_major", 45, 75),
        ("urinary_bladder", -10, 60),
        ("spine", 120, 450),
    ],
)
def test_tissues_have_the_hu_of_ct(drawn, name, low, high):
    assert low < mean_of(drawn, name) < high


def test_right_structures_lie_to_the_right(drawn):
    for name in ("kidney", "lung", "psoas_major", "rectus_abdominis"):
        right = center_of(drawn, f"right_{name}")[0]
        assert right > center_of(drawn, f"left_{name}")[0] + 5
    assert center_of(drawn, "liver")[0] > center_of(drawn, "spleen")[0]


def test_organs_lie_in_their_order_from_head_to_foot(drawn):
    order = ("trachea", "right_lung", "liver", "right_kidney")
    heights = [center_of(drawn, name)[2] for name in order]
    heights.append(center_of(drawn, "urinary_bladder")[2])
    assert heights == sorted(heights, reverse=True)


def test_each_kidney_is_in_one_piece(drawn):
    for value in KIDNEYS:
        assert ndimage.label(drawn[1] == value)[1] == 1


def test_noise_is_that_of_ct(drawn):
    image, label_map = drawn
    liver = ndimage.binary_erosion(label_map == STRUCTURES["liver"])
    assert 15 < image[liver].std() < 45


def test_same_seed_draws_the_same_scan():
    first = draw_case(shape=(32, 32, 32), spacing=(12, 12, 12), seed=5)
    again = draw_case(shape=(32, 32, 32), spacing=(12, 12, 12), seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_another_seed_draws_another_anatomy():
    first = draw_case(shape=(32, 32, 32), spacing=(12, 12, 12), seed=5)[1]
    other = draw_case(shape=(32, 32, 32), spacing=(12, 12, 12), seed=6)[1]
    assert np.mean(first != other) > 0.02


def test_part_of_the_trunk_shows_both_kidneys():
    label_map = draw_case(shape=(72, 60, 24), spacing=(3, 3, 5), seed=0)[1]
    volume = 3 * 3 * 5 / 1000
    for value in KIDNEYS:
        assert 45 < volume * np.sum(label_map == value) < 130


def test_kidneys_are_about_three_thousandths_of_the_voxels(nnunet):
    shares = [np.isin(m.array, KIDNEYS).mean() for m in label_maps(nnunet)]
    assert all(0.002 < share < 0.0045 for share in shares)
    assert np.mean(shares) == pytest.approx(0.003, abs=0.0006)


def test_no_hu_window_finds_the_kidneys():
    for seed in (1, 2):
        image, label_map = draw_case(
            shape=(64, 64, 64), spacing=(6.0, 6.0, 6.2), seed=seed
        )
        kidneys = np.isin(label_map, KIDNEYS)
        for sigma in (0, 1, 2):
            smooth = ndimage.gaussian_filter(image.astype(np.float32), sigma)
            assert best_window(smooth, kidneys, enough=0.45) < 0.5


def best_window(image, truth, enough):
    """Best Dice of a window's two largest components, all windows tried.

    A window with too few of the true voxels to pass `enough` is left out.
    """
    best = enough
    inside = image[truth]
    for low in range(0, 260, 10):
        for high in range(low + 10, 360, 10):
            found = np.mean((inside >= low) & (inside <= high))
            if 2 * found / (1 + found) <= best:
                continue
            parts, _ = ndimage.label((image >= low) & (image <= high))
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            largest = np.argsort(sizes)[-2:]
            hits = np.bincount(parts[truth], minlength=sizes.size)[largest]
            dice = 2 * hits.sum() / (truth.sum() + sizes[largest].sum())
            best = max(best, float(dice))
    return best


def test_visceral_names_hold_patient_organ_and_annotator(visceral):
    assert volumes(visceral)[0].name == "10000100_1_CTce_ThAb.nii.gz"
    names = [p.name for p in visceral.glob("Segmentations/*_29662_*.nii.gz")]
    assert len(names) == 5
    assert len({name.split("_")[-1] for name in names}) > 1


def test_visceral_has_fourteen_organs_and_no_spine(visceral):
    masks = list(visceral.glob("Segmentations/10000100_1_CTce_ThAb_*.nii.gz"))
    ids = {int(p.name.split("_")[4]) for p in masks}
    assert len(masks) == len(ids) == 14


def test_masks_are_binary_and_on_the_grid_of_the_image(visceral):
    image = read(volumes(visceral)[0])
    for path in visceral.glob("Segmentations/10000100_*.nii.gz"):
        mask = read(path)
        assert set(np.unique(mask.array)) == {0, 1}
        assert mask.array.dtype == np.uint8
        np.testing.assert_array_equal(mask.affine, image.affine)


def test_radlex_29662_is_the_right_kidney(visceral, nnunet):
    for mask, label_map in zip(
        sorted(visceral.glob("Segmentations/*_29662_*.nii.gz")),
        label_maps(nnunet),
        strict=True,
    ):
        right = label_map.array == STRUCTURES["right_kidney"]
        np.testing.assert_array_equal(read(mask).array == 1, right)


def test_right_is_right_in_the_world(nnunet):
    for label_map in label_maps(nnunet):
        array = to_canonical(label_map).array
        right, left = (np.argwhere(array == k).mean(axis=0) for k in KIDNEYS)
        assert right[0] > left[0]


def test_both_layouts_hold_the_same_scans(visceral, nnunet):
    images = sorted(nnunet.glob("imagesTr/*_0000.nii.gz"))
    for first, second in zip(volumes(visceral), images, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_nnunet_names_its_labels(nnunet):
    facts = json.loads((nnunet / "dataset.json").read_text())
    assert facts["labels"] == {"background": 0, **STRUCTURES}
    assert facts["numTraining"] == 5
    assert len(label_maps(nnunet)) == 5


def test_spacing_differs_a_little_between_cases(visceral):
    spacings = np.array(
        [to_canonical(read(p)).spacing for p in volumes(visceral)]
    )
    assert np.all(np.ptp(spacings, axis=0) > 0.05)
    assert np.all(np.abs(spacings / spacings.mean(axis=0) - 1) < 0.1)


def test_orientations_differ_and_one_scan_is_oblique(visceral):
    affines = [read(path).affine for path in volumes(visceral)]
    assert len({nib.aff2axcodes(a) for a in affines}) > 3
    oblique = [bool(nib.affines.obliquity(a).max() > 0.01) for a in affines]
    assert oblique == [False, False, False, False, True]


def test_header_tells_scanner_coordinates_in_mm(visceral):
    header = nib.load(volumes(visceral)[4]).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(
        header.get_qform(), header.get_sform(), atol=1e-3
    )


def test_files_are_the_same_on_every_run(visceral, tmp_path):
    again = write_phantom(tmp_path / "a", cases=1, shape=SMALL, seed=3)
    for path in again.glob("*/*.nii.gz"):
        twin = visceral / path.relative_to(again)
        assert path.read_bytes() == twin.read_bytes()


def test_absent_organ_has_no_mask(tmp_path):
    path = write_phantom(
        tmp_path / "a", cases=1, shape=(40, 40, 12), spacing=(6, 6, 6)
    )
    assert not list(path.glob("Segmentations/*_237_*.nii.gz"))
    assert len(list(path.glob("Segmentations/*_29663_*.nii.gz"))) == 1


def test_explicit_spacing_is_kept_within_some_percent(tmp_path):
    path = write_phantom(
        tmp_path / "a", cases=2, shape=(40, 40, 20), spacing=(8, 8, 15)
    )
    for file in volumes(path):
        spacing = to_canonical(read(file)).spacing
        np.testing.assert_allclose(spacing, (8, 8, 15), rtol=0.06)


def test_progress_is_told_after_each_case(tmp_path):
    told = []
    write_phantom(
        tmp_path / "a",
        cases=2,
        shape=(16, 16, 16),
        progress=lambda done, cases: told.append((done, cases)),
    )
    assert told == [(1, 2), (2, 2)]


def test_files_in_the_way_are_an_error(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files already"):
        write_phantom(tmp_path, cases=1, shape=(16, 16, 16))


def test_overwrite_replaces_an_older_phantom(tmp_path):
    path = tmp_path / "a"
    write_phantom(path, cases=2, shape=(16, 16, 16))
    write_phantom(path, cases=1, shape=(16, 16, 16), overwrite=True)
    assert len(volumes(path)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_overwrite_spares_files_that_are_no_phantom(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="no phantom.json"):
        write_phantom(tmp_path, cases=1, shape=(16, 16, 16), overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["predictions/a.nii.gz", "notes.txt"])
def test_overwrite_spares_what_was_put_beside_a_phantom(tmp_path, name):
    write_phantom(tmp_path / "a", cases=1, shape=(16, 16, 16))
    mine = tmp_path / "a" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="is no part of the phantom"):
        write_phantom(
            tmp_path / "a", cases=1, shape=(16, 16, 16), overwrite=True
        )
    assert mine.read_text() == "mine"


def test_interrupted_writer_leaves_nothing(tmp_path):
    def stop(done, cases):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(
            tmp_path / "a", cases=2, shape=(16, 16, 16), progress=stop
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"cases": 0},
        {"layout": "dicom"},
        {"shape": (16, 16)},
        {"shape": (0, 16, 16)},
        {"spacing": (1, 1, 0)},
        {"seed": -1},
    ],
)
def test_impossible_arguments_are_refused(tmp_path, wrong):
    arguments = {"cases": 1, "shape": (16, 16, 16), **wrong}
    with pytest.raises(InputError, match=next(iter(wrong))):
        write_phantom(tmp_path / "a", **arguments)
    assert not list(tmp_path.iterdir())


def test_full_disk_names_the_folder_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(phantom_files, "_write", fail)
    with pytest.raises(DiskFull, match="/ph: No space left"):
        write_phantom(tmp_path / "ph", cases=1, shape=(24, 24, 24))
    assert os.listdir(tmp_path) == []
