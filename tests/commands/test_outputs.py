"""Where label maps may be written."""

import os
from pathlib import Path

import pytest

from keras_isample.commands.outputs import check_out
from keras_isample.commands.outputs import split_done
from keras_isample.config import Config
from keras_isample.data.layout import Case
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.errors import InputError

ORIGIN = {"images": "i", "model": "m", "postprocess": "none"}


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def check(out, inputs, images, run="/no/run"):
    """Checks predictions of some images, each a case of its own."""
    out = Path(out)
    cases = [
        Case(Path(image).name.removesuffix(".nii.gz"), (Path(image),))
        for image in images
    ]
    files = {out / f"{case.name}.nii.gz": case for case in cases}
    check_out(out, run, inputs, cases, files)


def refusal(*arguments, **options):
    with pytest.raises(InputError) as error:
        check(*arguments, **options)
    text = str(error.value)
    assert "\n" not in text
    assert "`overwrite=True`" not in text
    return text


@pytest.fixture
def data(tmp_path):
    """A data set of two cases, one of them labeled."""
    return touch(
        tmp_path / "data",
        "images/a.nii.gz",
        "images/b.nii.gz",
        "labels/a.nii.gz",
    )


@pytest.fixture
def scans(tmp_path):
    return touch(tmp_path / "scans", "a.nii.gz", "b.nii.gz")


@pytest.mark.parametrize("out", ["scans", "scans/", "x/../scans", "link"])
def test_folder_of_the_scans_is_refused(tmp_path, scans, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    os.mkdir("x")
    os.symlink("scans", "link")
    text = refusal(out, [scans], scans.iterdir())
    assert "is the folder of the scans themselves" in text


@pytest.mark.parametrize("name", ["a.nii.gz", "c_0000.nii.gz", "d.nii"])
def test_folder_in_which_a_scan_lies_is_refused(scans, monkeypatch, name):
    touch(scans, name)
    monkeypatch.chdir(scans)
    text = refusal(".", [name], [name])
    assert f"holds {name}, one of the scans" in text


def test_link_to_a_scan_is_spared(tmp_path, scans):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.nii.gz").symlink_to(scans / "a.nii.gz")
    text = refusal(tmp_path / "out", [scans], scans.iterdir())
    assert f"would replace {scans}/a.nii.gz" in text


def test_hard_link_of_a_scan_is_spared(tmp_path, scans):
    (tmp_path / "out").mkdir()
    os.link(scans / "b.nii.gz", tmp_path / "out/a.nii.gz")
    text = refusal(tmp_path / "out", [scans], scans.iterdir())
    assert f"would replace {scans}/b.nii.gz" in text


@pytest.mark.parametrize("whole", [True, False])
def test_data_set_itself_is_refused(data, whole):
    images = sorted((data / "images").iterdir())
    text = refusal(data, [data], images)
    assert "is the folder of the scans themselves" in text
    text = refusal(data / "images", [data] if whole else images, images)
    assert "holds a.nii.gz" in text


def test_label_maps_beside_the_images_are_spared(tmp_path, data):
    images = sorted((data / "images").iterdir())
    text = refusal(data / "labels", [data / "images"], images)
    assert "labels/a.nii.gz: would be replaced" in text
    text = refusal(data / "labels", images, images)
    assert "labels/a.nii.gz: would be replaced" in text


def test_label_maps_of_another_data_set_are_spared(scans, data):
    text = refusal(data / "labels", [scans], scans.iterdir())
    assert "labels/a.nii.gz: would be replaced" in text


@pytest.mark.parametrize("name", ["images", "Images", "imagesTs", "Volumes"])
def test_folders_of_images_are_refused(tmp_path, scans, name):
    touch(tmp_path / "set", f"{name}/other.nii.gz")
    text = refusal(tmp_path / "set" / name, [scans], scans.iterdir())
    assert "is by its name the folder of images" in text


def test_new_folder_of_images_in_a_data_set_is_refused(tmp_path, scans):
    touch(tmp_path / "set", "imagesTr/c_0000.nii.gz")
    text = refusal(tmp_path / "set/imagesTs", [scans], scans.iterdir())
    assert "is by its name the folder of images" in text


def test_files_that_a_hard_link_shares_with_the_labels_are_spared(
    tmp_path, data
):
    (tmp_path / "out").mkdir()
    os.link(data / "labels/a.nii.gz", tmp_path / "out/a.nii.gz")
    for inputs in ([data], [data / "images"]):
        text = refusal(
            tmp_path / "out", inputs, sorted((data / "images").iterdir())
        )
        assert f"would replace {data}/labels/a.nii.gz" in text


def test_data_that_the_run_was_trained_on_are_spared(tmp_path, data, scans):
    (data / "cases.csv").write_text("case,image,label\na,,more/a.nii.gz\n")
    touch(data, "more/a.nii.gz")
    run = tmp_path / "run"
    run.mkdir()
    settings = Config.from_settings(str(data), {})
    (run / "config.toml").write_text(settings.to_toml())
    text = refusal(data / "more", [scans], scans.iterdir(), run=run)
    assert f"would replace {data}/more/a.nii.gz" in text


def test_two_outputs_of_one_name_are_refused(tmp_path):
    out = tmp_path / "out"
    one, other = (Case(n, (tmp_path / n,)) for n in ("a", "a_probabilities"))
    files = {
        out / "a.nii.gz": one,
        out / "A_probabilities.nii.gz": one,
    }
    check_out(out, "/no/run", [], [one, other], files)
    files[out / "a_probabilities.nii.gz"] = other
    with pytest.raises(InputError, match="as well as"):
        check_out(out, "/no/run", [], [one, other], files)


def test_other_folders_are_allowed(tmp_path, data, scans):
    images = sorted((data / "images").iterdir())
    for out in (
        data / "predictions",
        data / "images/predictions",
        tmp_path / "labels",
        tmp_path / "images",
        tmp_path / "new/deep",
    ):
        check(out, [data], images)
        check(out, [scans], scans.iterdir())


def test_predictions_may_be_replaced_wherever_they_are(data):
    out = data / "images/predictions"
    out.mkdir()
    PredictionRecord(out).begin(ORIGIN, ["a.nii.gz"])
    touch(out, "a.nii.gz")
    check(out, [data], sorted((data / "images").glob("*.gz")))


# What is there already.


def done(out, **files):
    files = {name: [out / f for f in names] for name, names in files.items()}
    return split_done(out, files, lambda name: ORIGIN)


@pytest.fixture
def out(tmp_path):
    """A folder with the prediction of case a."""
    record = PredictionRecord(tmp_path)
    record.begin(ORIGIN, ["a.nii.gz"])
    touch(tmp_path, "a.nii.gz")
    record.complete(["a.nii.gz"])
    return tmp_path


def test_complete_predictions_are_done(out):
    assert done(out, a=["a.nii.gz"], b=["b.nii.gz"]) == (["a"], [])


def test_prediction_without_its_probabilities_is_not_done(out):
    assert done(out, a=["a.nii.gz", "a_p.nii.gz"]) == ([], [])


def test_prediction_that_was_begun_is_not_done(out):
    PredictionRecord(out).begin(ORIGIN, ["b.nii.gz"])
    touch(out, "b.nii.gz")
    assert done(out, b=["b.nii.gz"]) == ([], [])


def test_corrected_prediction_is_done_and_told(out):
    (out / "a.nii.gz").write_text("corrected")
    assert done(out, a=["a.nii.gz"]) == (["a"], [out / "a.nii.gz"])
    with pytest.raises(InputError, match="has been changed"):
        done(out, a=["a.nii.gz", "a_p.nii.gz"])


def test_file_of_someone_else_is_refused(out):
    touch(out, "b.nii.gz")
    with pytest.raises(InputError) as error:
        done(out, b=["b.nii.gz"])
    assert "exists already, and predict did not write it" in str(error.value)
    assert "`overwrite=True`" not in str(error.value)


@pytest.mark.parametrize(
    "fact, words",
    [
        ("images", "from another scan"),
        ("model", "with another model"),
        ("postprocess", "with another `postprocess`"),
    ],
)
def test_prediction_from_something_else_is_refused(out, fact, words):
    other = {**ORIGIN, fact: "other"}
    with pytest.raises(InputError, match=words) as error:
        split_done(out, {"a": [out / "a.nii.gz"]}, lambda name: other)
    assert "`overwrite=True`" in str(error.value)


def test_corrected_label_maps_of_a_data_set_are_spared(data, scans):
    record = PredictionRecord(data / "labels")
    record.begin(ORIGIN, ["b.nii.gz"])
    touch(data, "labels/b.nii.gz")
    record.complete(["b.nii.gz"])
    check(data / "labels", [scans], [scans / "b.nii.gz"])
    (data / "labels/b.nii.gz").write_text("corrected by hand")
    text = refusal(data / "labels", [scans], [scans / "b.nii.gz"])
    assert f"it is a label map of {data}" in text


def test_label_map_beside_one_of_another_ending_is_refused(data, scans):
    (data / "labels/a.nii.gz").rename(data / "labels/a.nii")
    text = refusal(data / "labels", [scans], [scans / "a.nii.gz"])
    assert text.startswith(f"{data}/labels/a.nii: would be replaced")


def test_data_set_that_cannot_be_told_is_spared(tmp_path, data, scans):
    touch(tmp_path, "data/other/a.nii.gz")
    (data / "cases.csv").write_text("case,image,split\na,images/a,traning\n")
    text = refusal(data / "other", [data], [scans / "a.nii.gz"])
    assert "may belong to a data set" in text and "cases.csv" in text
