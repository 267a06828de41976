import pytest

from keras_isample.data.prediction_record import PredictionRecord

ORIGIN = {"images": "i", "model": "m"}


@pytest.fixture
def folder(tmp_path):
    """A folder with one complete prediction and one that was begun."""
    record = PredictionRecord(tmp_path)
    record.begin(ORIGIN, ["a.nii.gz"])
    (tmp_path / "a.nii.gz").write_text("labels")
    record.complete(["a.nii.gz"])
    record.begin(ORIGIN, ["b.nii.gz"])
    return tmp_path


def test_written_files_are_known(folder):
    record = PredictionRecord(folder)
    assert record.knows("a.nii.gz") and record.knows("b.nii.gz")
    assert not record.knows("c.nii.gz")


def test_only_finished_files_are_complete(folder):
    (folder / "b.nii.gz").write_text("labels")
    record = PredictionRecord(folder)
    assert record.is_complete("a.nii.gz")
    assert not record.is_complete("b.nii.gz")
    (folder / "a.nii.gz").unlink()
    assert not record.is_complete("a.nii.gz")


def test_edited_file_is_noticed(folder):
    assert not PredictionRecord(folder).is_changed("a.nii.gz")
    (folder / "a.nii.gz").write_text("corrected")
    assert PredictionRecord(folder).is_changed("a.nii.gz")


def test_other_origin_is_named(folder):
    record = PredictionRecord(folder)
    assert record.difference("a.nii.gz", ORIGIN) is None
    other = {**ORIGIN, "model": "n"}
    assert record.difference("a.nii.gz", other) == "model"


@pytest.mark.parametrize("rest", ['\n{"c.nii', "\nnull", "\n[1]", '\n{"c": 1}'])
def test_damaged_lines_are_left_out(folder, rest):
    (path,) = folder.glob(".*")
    with open(path, "a") as file:
        file.write(rest)
    record = PredictionRecord(folder)
    record.begin(ORIGIN, ["d.nii.gz"])
    record = PredictionRecord(folder)
    assert record.is_complete("a.nii.gz")
    assert record.knows("d.nii.gz") and not record.knows("c")


def test_folder_without_a_record_knows_nothing(tmp_path):
    assert not PredictionRecord(tmp_path / "none").knows("a.nii.gz")
