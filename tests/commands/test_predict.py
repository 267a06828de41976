"""Label maps of scans, on the grids of the scans."""

import json
import os
import shutil
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from keras_isample.commands import predict as predict_module
from keras_isample.commands.batch import CasesFailed
from keras_isample.commands.predict import predict
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError
from keras_isample.inference import predict_volume
from keras_isample.models.loading import load_model
from keras_isample.volumes.files import DiskFull
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
        ".predictions.jsonl",
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
    lines, calls, tiles = [], [], []
    predict(
        ball_run.path,
        [ball_data / "images"],
        tmp_path / "out",
        tile_memory=MEMORY,
        say=lines.append,
        progress=lambda *call: calls.append(call),
        voxels=lambda *call: tiles.append(call),
    )
    expected = [str(tmp_path / f"out/case_{k}.nii.gz") for k in range(4)]
    assert lines == expected
    assert calls == [(k, 4) for k in range(5)]
    assert sum(done == total for done, total in tiles) == 4


def test_existing_files_are_kept(tmp_path, ball_run, scan):
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan.nii.gz").write_text("mine")
    text = refusal(ball_run.path, [scan], out)
    assert "exists already" in text and "`overwrite=True`" not in text
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
    film = scan.with_name("z_film.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros((5, 5, 5, 4), "i2"), np.eye(4)), film)
    text = refusal(ball_run.path, [film], tmp_path / "out")
    assert text.startswith(str(film))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def make_model(tmp_path, monkeypatch):
    """Function that writes a stand-in for a model, see `_threshold`."""
    models = {}

    def load(path, compile):
        return models[path]

    def make(name="model.keras", num_channels=1, **facts):
        facts = Preprocessing(
            spacing=None, class_names=("background", "bright"), **facts
        )
        metadata = {
            "preprocessing": facts.as_metadata(),
            "num_channels": num_channels,
            "num_classes": 2,
        }
        models[tmp_path / name] = SimpleNamespace(metadata=metadata)
        (tmp_path / name).write_text(name)
        return tmp_path / name

    module = "keras_isample.commands.predict"
    monkeypatch.setattr(f"{module}.load_model", load)
    monkeypatch.setattr(f"{module}.predict_volume", _threshold)
    return make


def _threshold(model, channels, *, return_probabilities=False, **options):
    """Class 1 where the intensity of the first channel is above 0."""
    bright = (channels[0].array > 0).astype(np.uint8)
    labels = Volume(bright, channels[0].affine)
    if return_probabilities:
        chances = np.stack([255 * (1 - bright), 255 * bright], axis=-1)
        return labels, Volume(chances, labels.affine)
    return labels


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def scans(tmp_path):
    """A folder of three scans with a large and a small bright box."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in "abc":
        array = np.full((12, 12, 12), -500, np.int16)
        array[2:6, 2:6, 2:6] = array[9, 9, 9] = 500
        write_volume(folder / f"{name}.nii.gz", Volume(array, np.eye(4)))
    return folder


def run_all(model, scans, out, **options):
    return predict(model, [scans], out, tile_memory=MEMORY, **options)


def written(out):
    return sorted(path.name for path in out.glob("*.nii.gz"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def write_text(path):
    path.write_text("no scan, but words")


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, write_text, empty])
def test_damaged_scan_does_not_stop_the_others(tmp_path, model, scans, damage):
    damage(scans / "b.nii.gz")
    for _ in range(2):
        with pytest.raises(CasesFailed) as error:
            run_all(model, scans, tmp_path / "out")
        (failure,) = error.value.failures
        assert str(failure).startswith(f"{scans}/b.nii.gz: ")
        assert written(tmp_path / "out") == ["a.nii.gz", "c.nii.gz"]
        assert error.value.result == [
            tmp_path / "out" / name for name in ("a.nii.gz", "c.nii.gz")
        ]


def test_channel_that_is_damaged_does_not_stop_the_others(
    tmp_path, make_model, scans
):
    model = make_model(num_channels=2)
    for name in "abc":
        (scans / f"{name}.nii.gz").rename(scans / f"{name}_0000.nii.gz")
        shutil.copy(
            scans / f"{name}_0000.nii.gz", scans / f"{name}_0001.nii.gz"
        )
    cut(scans / "a_0001.nii.gz")
    (scans / "c_0001.nii.gz").unlink()
    with pytest.raises(CasesFailed) as error:
        run_all(model, scans, tmp_path / "out")
    starts = [str(failure).split(": ")[0] for failure in error.value.failures]
    assert set(starts) == {f"{scans}/{n}_0001.nii.gz" for n in "ac"}
    assert written(tmp_path / "out") == ["b.nii.gz"]


def test_scan_that_fails_by_itself_does_not_stop_the_others(
    tmp_path, model, scans, monkeypatch
):
    def fail_once(*args, **options):
        if (
            not (tmp_path / "out/b.nii.gz").exists()
            and (tmp_path / "out/a.nii.gz").exists()
        ):
            monkeypatch.setattr(target, _threshold)
            raise RuntimeError("no such kernel\nmore of it")
        return _threshold(*args, **options)

    target = "keras_isample.commands.predict.predict_volume"
    monkeypatch.setattr(target, fail_once)
    calls = []
    with pytest.raises(CasesFailed, match="b: failed by itself") as error:
        run_all(
            model,
            scans,
            tmp_path / "out",
            progress=lambda *call: calls.append(call),
        )
    assert "RuntimeError: no such kernel)" in str(error.value)
    assert written(tmp_path / "out") == ["a.nii.gz", "c.nii.gz"]
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert len(run_all(model, scans, tmp_path / "out")) == 3


def test_failure_of_every_scan_is_raised_as_it_is(
    tmp_path, model, scans, monkeypatch
):
    def fail(*args, **options):
        raise RuntimeError("out of order")

    monkeypatch.setattr("keras_isample.commands.predict.predict_volume", fail)
    with pytest.raises(RuntimeError, match="out of order"):
        run_all(model, scans, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_second_call_does_what_is_missing(tmp_path, model, scans, caplog):
    out = tmp_path / "out"
    expected = run_all(model, scans, out)
    before = {path: path.stat().st_mtime_ns for path in expected}
    (out / "b.nii.gz").unlink()
    said = []
    assert run_all(model, scans, out, say=said.append) == expected
    assert said == [str(out / "b.nii.gz")]
    assert f"{out}: 2 of 3 label maps already there, kept." in caplog.text
    for name in "ac":
        path = out / f"{name}.nii.gz"
        assert path.stat().st_mtime_ns == before[path]


def test_missing_probabilities_are_added(tmp_path, model, scans):
    out = tmp_path / "out"
    run_all(model, scans, out)
    run_all(model, scans, out, probabilities=True)
    assert len(written(out)) == 6
    said = []
    run_all(model, scans, out, probabilities=True, say=said.append)
    assert said == []


def test_corrected_label_map_is_kept_and_said(tmp_path, model, scans, caplog):
    out = tmp_path / "out"
    run_all(model, scans, out)
    (out / "a.nii.gz").write_text("corrected by hand")
    run_all(model, scans, out)
    assert (out / "a.nii.gz").read_text() == "corrected by hand"
    assert f"{out}/a.nii.gz: changed since predict wrote it" in caplog.text


def test_label_map_from_something_else_is_not_taken(
    tmp_path, model, scans, make_model
):
    out = tmp_path / "out"
    run_all(model, scans, out)
    text = refusal(model, [scans], out, postprocess="none")
    assert "a.nii.gz: exists already, predicted with another `post" in text
    text = refusal(make_model("other.keras"), [scans], out)
    assert "exists already, predicted with another model" in text
    shutil.copy(scans / "a.nii.gz", tmp_path / "b.nii.gz")
    array = np.zeros((9, 9, 9), np.int16)
    path = tmp_path / "b.nii.gz"
    write_volume(path, Volume(array, np.eye(4)), overwrite=True)
    text = refusal(model, [path], out)
    assert "b.nii.gz: exists already, predicted from another scan" in text
    assert "`overwrite=True`" in text


def test_predictions_in_a_sub_folder_are_no_scans(tmp_path, model, scans):
    for _ in range(2):
        assert len(run_all(model, scans, scans / "predictions")) == 3
    assert written(scans) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_scans_are_never_replaced(tmp_path, model, scans, overwrite):
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    text = refusal(model, [scans], scans, overwrite=overwrite)
    assert "`overwrite=True`" not in text
    after = {path.name: path.read_bytes() for path in scans.iterdir()}
    assert after == before


def test_tables_of_someone_else_are_never_replaced(tmp_path, model, scans):
    out = tmp_path / "out"
    out.mkdir()
    (out / "labels.txt").write_text("1 255 0 0 my own")
    for overwrite in (True, False):
        text = refusal(model, [scans], out, overwrite=overwrite)
        assert "labels.txt: exists already, with other contents" in text
    assert os.listdir(out) == ["labels.txt"]


def test_removed_components_are_said(tmp_path, model, scans, caplog):
    run_all(model, scans, tmp_path / "out")
    assert "a: removed 1 component of bright (1 voxel); " in caplog.text
    caplog.clear()
    run_all(model, scans, tmp_path / "none", postprocess="none")
    assert "removed" not in caplog.text


def test_class_that_is_left_whole_keeps_its_islands(
    tmp_path, make_model, scans, caplog
):
    model = make_model(whole=(1,))
    path, *_ = run_all(model, scans, tmp_path / "out")
    assert read_label_map(path).array.sum() == 4**3 + 1
    assert "removed" not in caplog.text


def test_scan_that_is_no_ct_is_said(tmp_path, model, scans, caplog):
    path = scans / "b.nii.gz"
    array = read_volume(path).array + 1000
    write_volume(path, Volume(array, np.eye(4)), overwrite=True)
    run_all(model, scans, tmp_path / "out")
    assert f"{path}: values do not look like CT in Hounsfield" in caplog.text
    assert caplog.text.count("Hounsfield") == 1


def test_empty_label_map_is_said(tmp_path, model, scans, caplog):
    array = np.full((12, 12, 12), -500, np.int16)
    array[0] = -300
    path = scans / "b.nii.gz"
    write_volume(path, Volume(array, np.eye(4)), overwrite=True)
    run_all(model, scans, tmp_path / "out")
    assert f"{path}: nothing was found in it" in caplog.text
    assert f"{scans}/a.nii.gz: nothing" not in caplog.text


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


@pytest.fixture
def scans_with_failure(tmp_path, monkeypatch, ball_run, ball_data):
    """Function that predicts scans, the first of which fails."""

    def predict_all(error):
        real, calls = predict_module.predict_volume, []

        def fail_first(*arguments, **options):
            calls.append(arguments)
            if len(calls) == 1:
                raise error
            return real(*arguments, **options)

        monkeypatch.setattr(predict_module, "predict_volume", fail_first)
        predict(
            ball_run.path,
            [ball_data / "images"],
            tmp_path / "out",
            tile_memory=None,
        )

    return predict_all


def test_full_disk_stops_all_scans(tmp_path, scans_with_failure):
    with pytest.raises(DiskFull, match="^/tmp: full"):
        scans_with_failure(DiskFull("/tmp", "full", "Free some space"))
    assert not (tmp_path / "out").exists()


def test_scan_without_memory_does_not_stop_the_others(
    tmp_path, scans_with_failure
):
    with pytest.raises(CasesFailed) as error:
        scans_with_failure(MemoryError())
    (failure,) = error.value.failures
    assert str(failure).startswith("memory: is used up (an allocation failed)")
    assert "case_0" in str(failure) and "`tile_memory`" in str(failure)
    assert (tmp_path / "out/case_1.nii.gz").exists()


def test_every_damaged_scan_is_named_though_none_is_left(
    tmp_path, model, scans
):
    for name in "abc":
        cut(scans / f"{name}.nii.gz")
    with pytest.raises(CasesFailed) as error:
        run_all(model, scans, tmp_path / "out")
    starts = [str(failure).split(": ")[0] for failure in error.value.failures]
    assert starts == [f"{scans}/{name}.nii.gz" for name in "abc"]
    assert error.value.result == []


def test_label_map_that_cannot_be_written_does_not_stop_the_others(
    tmp_path, model, scans, monkeypatch
):
    real = predict_module._Writer.write

    def write(writer, case, *arguments):
        if case.name == "b":
            raise InputError("b.nii.gz", "may not be written", "Ask its owner")
        real(writer, case, *arguments)

    monkeypatch.setattr(predict_module._Writer, "write", write)
    with pytest.raises(CasesFailed, match="^b.nii.gz: may not be written"):
        run_all(model, scans, tmp_path / "out")
    assert written(tmp_path / "out") == ["a.nii.gz", "c.nii.gz"]
