"""Which cases count as test cases of a run."""

import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from keras_isample.commands.evaluated_cases import cases_of_others
from keras_isample.commands.evaluated_cases import cases_of_run
from keras_isample.config import Config
from keras_isample.data.image_digests import case_digests
from keras_isample.errors import InputError
from keras_isample.training.run_data import read_run_data
from keras_isample.training.run_folder import RunFolder

LABELS = {"background": 0, "liver": 1}


def add_cases(root, numbers, *, labels=None):
    for number in numbers:
        array = np.full((3, 3, 3), number, np.int16)
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            path = root / folder / f"case{number}.nii.gz"
            nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    content = {"labels": labels or LABELS}
    (root / "dataset.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def data(tmp_path):
    return add_cases(tmp_path / "data", range(6))


@pytest.fixture
def make_run(tmp_path, data):
    """Function that makes the folder of a run, without training."""

    def make(noted=True, **settings):
        settings = {"cache": str(tmp_path / "cache"), **settings}
        folder = RunFolder(tmp_path / "run")
        folder.path.mkdir(exist_ok=True)
        config = Config.from_settings(str(data), settings)
        folder.config_file.write_text(config.to_toml())
        parts = read_run_data(config).parts
        manifest = {
            "classes": list(parts["train"].class_names),
            "cases": {
                part: [case.name for case in cohort.cases]
                for part, cohort in parts.items()
            },
        }
        if noted:
            cases = [c for cohort in parts.values() for c in cohort.cases]
            manifest["case_digests"] = case_digests(cases, tmp_path / "cache")
        folder.manifest_file.write_text(json.dumps(manifest))
        return folder

    return make


@pytest.fixture
def folder(make_run):
    folder = make_run()
    # 4 training cases, 1 validation and 1 test case.
    assert [len(v) for v in folder.manifest()["cases"].values()] == [4, 1, 1]
    return folder


def names(cohort):
    return {case.name for case in cohort.cases}


def seen(folder):
    return {*folder.cases("train"), *folder.cases("validation")}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_parts_of_a_run_stay_when_its_data_grow(folder, data, part, caplog):
    cases_of_run(folder, part)
    assert not caplog.text
    add_cases(data, range(6, 13))
    assert names(cases_of_run(folder, part)) == set(folder.cases(part))
    assert "7 cases (case10, case11, case12 and 4 more) that" in caplog.text


@pytest.mark.parametrize("noted", [True, False])
def test_seen_cases_are_no_test_cases_of_grown_data(
    make_run, tmp_path, noted, caplog
):
    folder = make_run(noted)
    after = add_cases(tmp_path / "after", range(13))
    for split in ("test", "all"):
        caplog.clear()
        found = names(cases_of_others(folder, after, split))
        assert not found & seen(folder)
        assert set(folder.cases("test")) < found
        assert "4 train cases" in caplog.text
        assert "1 validation case" in caplog.text
    assert found == {f"case{k}" for k in range(13)} - seen(folder)


def test_cases_keep_their_part_in_grown_data(folder, tmp_path):
    after = add_cases(tmp_path / "after", range(13))
    for part in ("train", "validation", "test"):
        found = names(cases_of_others(folder, after, part))
        assert set(folder.cases(part)) < found
        assert not found & (
            {f"case{k}" for k in range(6)} - set(folder.cases(part))
        )


def test_renamed_copies_are_recognized(folder, tmp_path):
    after = add_cases(tmp_path / "after", range(9))
    number = int(folder.cases("train")[0][4:])
    for kind in ("images", "labels"):
        path = after / kind / f"case{number}.nii.gz"
        plain = gzip.decompress(path.read_bytes())
        path.unlink()
        (after / kind / "other.nii").write_bytes(plain)
    found = names(cases_of_others(folder, after, "all"))
    assert found == {"case6", "case7", "case8", *folder.cases("test")}


def test_data_of_seen_cases_alone_are_refused(folder, tmp_path):
    number = int(folder.cases("train")[0][4:])
    again = add_cases(tmp_path / "again", [number])
    for split in ("test", "all"):
        with pytest.raises(InputError, match="holds nothing but 1 train case"):
            cases_of_others(folder, again, split)


def test_split_of_the_data_wins_but_for_seen_cases(folder, tmp_path, caplog):
    after = add_cases(tmp_path / "after", range(9))
    (test,) = folder.cases("test")
    train = folder.cases("train")[0]
    rows = {f"case{k}": "train" for k in range(9)}
    rows |= {train: "test", "case6": "test"}
    text = "\n".join(f"{name},{part}" for name, part in rows.items())
    (after / "cases.csv").write_text(f"case,split\n{text}\n")
    assert names(cases_of_others(folder, after, "test")) == {"case6"}
    assert f"1 train case ({train})" in caplog.text
    found = names(cases_of_others(folder, after, "train"))
    assert {test, train, "case7", "case8"} <= found


def test_moved_data_of_a_run_are_recognized(folder, tmp_path, data):
    moved = shutil.move(data, tmp_path / "moved")
    for part in ("train", "validation", "test"):
        found = cases_of_others(folder, moved, part)
        assert names(found) == set(folder.cases(part))


def test_old_run_without_its_data_goes_by_names(
    make_run, tmp_path, data, caplog
):
    folder = make_run(noted=False)
    moved = shutil.move(data, tmp_path / "moved")
    found = cases_of_others(folder, moved, "test")
    assert names(found) == set(folder.cases("test"))
    assert "cases of the same name are taken for the same" in caplog.text


def test_renamed_test_case_of_a_run_is_found(folder, data):
    (test,) = folder.cases("test")
    for kind in ("images", "labels"):
        path = data / kind / f"{test}.nii.gz"
        path.rename(path.with_name("renamed.nii.gz"))
    assert names(cases_of_run(folder, "test")) == {"renamed"}


def test_lost_case_of_a_run_is_missed(folder, data):
    (test,) = folder.cases("test")
    (data / "images" / f"{test}.nii.gz").unlink()
    with pytest.raises(InputError, match=f"no longer has the test case {test}"):
        cases_of_run(folder, "test")


def test_test_case_that_became_a_training_case_is_refused(folder, data):
    (test,), train = folder.cases("test"), folder.cases("train")[0]
    shutil.copy(data / f"images/{train}.nii.gz", data / f"images/{test}.nii.gz")
    with pytest.raises(InputError, match="holds nothing but 1 train case"):
        cases_of_run(folder, "test")


def test_changed_test_case_is_said(folder, data, caplog):
    (test,) = folder.cases("test")
    image = nib.Nifti1Image(np.full((3, 3, 3), 99, np.int16), np.eye(4))
    nib.save(image, data / f"images/{test}.nii.gz")
    assert names(cases_of_run(folder, "test")) == {test}
    assert f"{test}: other images than when" in caplog.text


def test_run_of_a_fold_is_evaluated_on_a_few_new_cases(make_run, tmp_path):
    folder = make_run(fold="1/3")
    new = add_cases(tmp_path / "new", [20, 21])
    found = [
        names(cases_of_others(folder, new, part))
        for part in ("train", "validation", "test")
    ]
    assert set.union(*found) == {"case20", "case21"}


@pytest.mark.parametrize("own", [True, False])
def test_further_structures_are_background(folder, tmp_path, data, caplog, own):
    after = data if own else tmp_path / "after"
    add_cases(after, range(9), labels={**LABELS, "a_tumor": 2})
    if own:
        cohort = cases_of_run(folder, "test")
    else:
        cohort = cases_of_others(folder, after, "test")
    assert cohort.class_names == ("background", "liver")
    assert "a_tumor: no class of" in caplog.text


def test_other_structures_are_refused(folder, tmp_path):
    other = add_cases(tmp_path / "other", [1], labels={"spleen": 1})
    with pytest.raises(InputError, match="has the classes spleen, and"):
        cases_of_others(folder, other, "test")
