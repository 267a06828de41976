"""Label maps of scans, on the grids of the scans."""

import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from keras_isample.commands.predict import predict
from keras_isample.errors import InputError
from keras_isample.inference import predict_volume
from keras_isample.training.model_files import load_model
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.reading import read_volume
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

MEMORY = 10**8


@pytest.fixture(scope="module")
def predicted(tmp_path_factory, ball_run, ball_data):
    """Folder of what `predict` makes of one scan, with probabilities."""
    out = tmp_path_factory.mktemp("predicted") / "out"
    scan = ball_data / "images/case_0.nii.gz"
    (path,) = predict(
        ball_run.path,
        [scan],
        out,
        tile_memory=MEMORY,
        probabilities=True,
        postprocess="none",
    )
    assert path == out / "case_0.nii.gz"
    return out


@pytest.fixture
def scan(tmp_path, ball_data):
    path = tmp_path / "in/scan.nii.gz"
    path.parent.mkdir()
    shutil.copy(ball_data / "images/case_0.nii.gz", path)
    return path


def refusal(run, inputs, out, **options):
    with pytest.raises(InputError) as error:
        predict(run, inputs, out, tile_memory=MEMORY, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_label_map_has_the_grid_of_its_scan(predicted, ball_data):
    image = nib.load(ball_data / "images/case_0.nii.gz")
    labels = nib.load(predicted / "case_0.nii.gz")
    assert labels.shape == image.shape
    assert np.array_equal(labels.affine, image.affine)
    assert labels.get_data_dtype() == np.uint8
    assert labels.header["qform_code"] == labels.header["sform_code"] == 1
    assert np.unique(labels.dataobj).tolist()[:2] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("codes", ["PLI", "IRP"])
def test_orientation_changes_no_voxel(tmp_path, ball_run, scan, codes):
    image = nib.load(scan)
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
    )
    nib.save(image.as_reoriented(change), scan.with_name("turned.nii.gz"))
    paths = predict(
        ball_run.path, [scan.parent], tmp_path / "out", tile_memory=MEMORY
    )
    straight, turned = (nib.load(path) for path in paths)
    assert nib.aff2axcodes(turned.affine) == tuple(codes)
    expected = np.asarray(straight.as_reoriented(change).dataobj)
    assert np.array_equal(np.asarray(turned.dataobj), expected)


def test_names_and_colors_lie_beside(predicted):
    assert sorted(os.listdir(predicted)) == [
        "case_0.nii.gz",
        "case_0_probabilities.nii.gz",
        "labels.ctbl",
        "labels.json",
        "labels.txt",
    ]
    names = json.loads((predicted / "labels.json").read_text())
    assert names == {"background": 0, "ball": 1, "bead": 2}


def test_keras_file_will_do(tmp_path, ball_run, ball_data, predicted):
    model = shutil.copy(ball_run.path / "model.keras", tmp_path / "m.keras")
    scan = ball_data / "images/case_0.nii.gz"
    predict(
        model,
        [scan],
        tmp_path / "out",
        tile_memory=MEMORY,
        postprocess="none",
    )
    name = "case_0.nii.gz"
    assert (tmp_path / "out" / name).read_bytes() == (
        predicted / name
    ).read_bytes()


@pytest.mark.slow
def test_tile_memory_changes_no_voxel(tmp_path, ball_run, scan):
    for memory, out in ((2 * 10**6, "a"), (10**9, "b")):
        predict(ball_run.path, [scan], tmp_path / out, tile_memory=memory)
    maps = [read_label_map(tmp_path / o / "scan.nii.gz").array for o in "ab"]
    assert np.mean(maps[0] != maps[1]) < 1e-4


def test_probabilities_are_those_of_the_labels(predicted):
    image = nib.load(predicted / "case_0_probabilities.nii.gz")
    labels = nib.load(predicted / "case_0.nii.gz")
    assert np.array_equal(image.affine, labels.affine)
    values, labels = image.get_fdata() / 255, np.asarray(labels.dataobj)
    assert values.shape == (*labels.shape, 3)
    np.testing.assert_allclose(values.sum(axis=-1), 1, atol=0.01)
    won = np.take_along_axis(values, labels[..., None].astype(int), -1)[..., 0]
    assert np.all(won >= values.max(axis=-1) - 0.005)


def test_largest_component_stays(tmp_path, ball_run, scan, monkeypatch):
    def two_parts(model, channels, **options):
        labels = np.zeros(channels[0].array.shape, np.uint8)
        labels[1:3, 1:3, 1:3] = labels[5:8, 5:8, 5:8] = 1
        return Volume(labels, channels[0].affine)

    monkeypatch.setattr(
        "keras_isample.commands.predict.predict_volume", two_parts
    )
    numbers = []
    for postprocess in ("none", "largest-component"):
        (path,) = predict(
            ball_run.path,
            [scan],
            tmp_path / postprocess,
            tile_memory=MEMORY,
            postprocess=postprocess,
        )
        array = read_label_map(path).array
        numbers.append((ndimage.label(array)[1], array.sum()))
    assert numbers == [(2, 8 + 27), (1, 27)]


@pytest.mark.slow
def test_every_case_is_said_and_counted(tmp_path, ball_run, ball_data):
    lines, calls = [], []
    predict(
        ball_run.path,
        [ball_data / "images"],
        tmp_path / "out",
        tile_memory=MEMORY,
        say=lines.append,
        progress=lambda *call: calls.append(call),
    )
    expected = [str(tmp_path / f"out/case_{k}.nii.gz") for k in range(4)]
    assert lines == expected
    assert calls == [(k, 4) for k in range(1, 5)]


def test_existing_files_are_kept(tmp_path, ball_run, scan):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan.nii.gz").write_text("mine")
    assert "--overwrite" in refusal(ball_run.path, [scan], out)
    assert os.listdir(out) == ["scan.nii.gz"]
    assert (out / "scan.nii.gz").read_text() == "mine"


def test_existing_probabilities_are_kept(tmp_path, ball_run, scan):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan_probabilities.nii.gz").write_text("mine")
    refusal(ball_run.path, [scan], out, probabilities=True)
    assert os.listdir(out) == ["scan_probabilities.nii.gz"]


@pytest.mark.slow
def test_existing_files_may_be_replaced(tmp_path, ball_run, scan):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan.nii.gz").write_text("mine")
    predict(ball_run.path, [scan], out, tile_memory=MEMORY, overwrite=True)
    assert read_label_map(out / "scan.nii.gz").shape == (33, 32, 34)


def test_file_for_a_folder_is_refused(tmp_path, ball_run, scan):
    (tmp_path / "out").write_text("mine")
    assert "is a file" in refusal(ball_run.path, [scan], tmp_path / "out")


def test_bad_header_is_seen_before_anything_is_written(
    tmp_path, ball_run, scan
):
    array = np.zeros((5, 5, 5, 4), np.int16)
    film = scan.with_name("z_film.nii.gz")
    nib.save(nib.Nifti1Image(array, np.eye(4)), film)
    text = refusal(ball_run.path, [scan.parent], tmp_path / "out")
    assert text.startswith(str(film))
    assert not (tmp_path / "out").exists()


def test_scan_of_which_nothing_is_left_is_refused(
    tmp_path, threshold_model, scan
):
    # Trained at 1 x 1 x 1.5 mm, as models are that know of no other spacing.
    threshold_model().save(tmp_path / "model.keras")
    image = nib.load(scan)
    array = np.asarray(image.dataobj)
    affine = image.affine.copy()
    affine[:3] /= 1000
    nib.save(nib.Nifti1Image(array, affine), scan)
    text = refusal(tmp_path / "model.keras", [scan], tmp_path / "out")
    assert f"{scan}: has " in text and "no more than 1x1x1" in text
    assert "use a run that was trained" in text
    assert not list(tmp_path.glob("out/*.nii.gz"))


def test_damaged_scan_is_named(tmp_path, ball_run, scan):
    scan.write_bytes(scan.read_bytes()[:-50])
    text = refusal(ball_run.path, [scan], tmp_path / "out")
    assert text.startswith(str(scan))
    assert not (tmp_path / "out").exists()


def test_run_without_model_is_refused(tmp_path, scan):
    (tmp_path / "run").mkdir()
    text = refusal(tmp_path / "run", [scan], tmp_path / "out")
    assert "model.keras: is no model" in text


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_damaged_model_is_refused(tmp_path, ball_run, scan, content):
    if content is None:
        content = (ball_run.path / "model.keras").read_bytes()[:-500]
    (tmp_path / "m.keras").write_bytes(content)
    text = refusal(tmp_path / "m.keras", [scan], tmp_path / "out")
    assert text.startswith(f"{tmp_path}/m.keras: cannot be loaded")


def test_model_with_changed_bytes_is_refused(tmp_path, ball_run, scan):
    content = bytearray((ball_run.path / "model.keras").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(
        b ^ 255 for b in content[middle:][:200]
    )
    (tmp_path / "m.keras").write_bytes(content)
    text = refusal(tmp_path / "m.keras", [scan], tmp_path / "out")
    assert text.startswith(f"{tmp_path}/m.keras: cannot be loaded")


def test_foreign_model_is_refused(tmp_path, scan):
    import keras

    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    text = refusal(tmp_path / "m.keras", [scan], tmp_path / "out")
    assert "not of this package" in text


def test_model_is_loaded_without_its_optimizer(ball_run):
    assert not load_model(ball_run.path).compiled


def test_channels_must_lie_on_each_other(tmp_path, threshold_model):
    threshold_model(num_channels=2).save(tmp_path / "m.keras")
    for channel, shift in ((0, 0.0), (1, 5.0)):
        affine = np.eye(4)
        affine[0, 3] = shift
        volume = Volume(np.zeros((8, 8, 8), np.int16), affine)
        write_volume(tmp_path / f"a_{channel:04d}.nii.gz", volume)
    text = refusal(
        tmp_path / "m.keras", [tmp_path / "a_0000.nii.gz"], tmp_path / "out"
    )
    assert "a_0001.nii.gz: lies elsewhere" in text


def test_volume_is_predicted_as_in_python(predicted, ball_run, ball_data):
    volume = read_volume(ball_data / "images/case_0.nii.gz")
    labels = predict_volume(load_model(ball_run.path), volume)
    written = read_label_map(predicted / "case_0.nii.gz")
    assert np.array_equal(written.array, labels.array)
