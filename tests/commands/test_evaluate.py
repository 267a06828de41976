"""Metrics of a run's predictions, and of one folder against another."""

import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from keras_isample.commands.batch import CasesFailed
from keras_isample.commands.evaluate import evaluate_run
from keras_isample.commands.evaluate_folders import evaluate_folders
from keras_isample.commands.label_tables import write_label_tables
from keras_isample.errors import InputError
from keras_isample.training.run_folder import RunFolder
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

MEMORY = 10**8
PROMISED = {
    "Dice",
    "IoU",
    "TP",
    "FP",
    "FN",
    "TN",
    "n_pred",
    "n_ref",
    "HD95",
    "ASSD",
    "NSD_1mm",
    "NSD_2mm",
    "volume_ref_ml",
    "volume_pred_ml",
}


def box(start, stop, shape=(10, 10, 10)):
    array = np.zeros(shape, np.uint8)
    array[start:stop, 2:6, 2:6] = 1
    return array


def save(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.eye(4) if affine is None else affine
    write_volume(path, Volume(array, affine))


@pytest.fixture
def folders(tmp_path):
    """Two cases: one found wholly, one half."""
    save(tmp_path / "ref/a.nii.gz", box(2, 6))
    save(tmp_path / "ref/b.nii.gz", box(2, 6))
    save(tmp_path / "pred/a.nii.gz", box(2, 6))
    save(tmp_path / "pred/b.nii.gz", box(2, 4))
    return tmp_path / "ref", tmp_path / "pred"


def refusal(*folders, **options):
    with pytest.raises(InputError) as error:
        evaluate_folders(*folders, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_dice_by_hand(folders):
    summary, _ = evaluate_folders(*folders)
    dice = [case["metrics"]["1"]["Dice"] for case in summary["metric_per_case"]]
    assert dice == pytest.approx([1, 2 / 3])
    assert summary["mean"]["1"]["Dice"] == pytest.approx(5 / 6)
    assert summary["foreground_mean"]["Dice"] == pytest.approx(5 / 6)


def test_both_readings_of_each_case_are_counted(folders):
    calls = []
    evaluate_folders(*folders, progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_summary_is_written_beside_the_predictions(folders):
    summary, path = evaluate_folders(*folders)
    assert path == folders[1] / "summary.json"
    assert json.loads(path.read_text()) == summary


def test_summary_has_the_keys_promised(folders):
    summary, _ = evaluate_folders(*folders)
    assert {"foreground_mean", "mean", "metric_per_case"} <= set(summary)
    case = summary["metric_per_case"][0]
    assert set(case) == {"reference_file", "prediction_file", "metrics"}
    assert case["reference_file"].endswith("ref/a.nii.gz")
    assert case["prediction_file"].endswith("pred/a.nii.gz")
    assert set(case["metrics"]["1"]) == PROMISED
    assert set(summary["mean"]["1"]) == PROMISED
    low, high = summary["confidence_interval_95"]["mean"]["1"]["Dice"]
    assert 2 / 3 - 1e-9 <= low < high <= 1


def test_labels_without_names_are_numbered(folders):
    summary, _ = evaluate_folders(*folders)
    assert summary["labels"] == {"1": "label_1"}


@pytest.mark.parametrize("place", ["ref", "."])
def test_dataset_json_names_the_labels(tmp_path, folders, place):
    content = {"labels": {"background": 0, "liver": 1, "spleen": 3}}
    (tmp_path / place / "dataset.json").write_text(json.dumps(content))
    summary, _ = evaluate_folders(*folders)
    assert summary["labels"] == {"1": "liver", "3": "spleen"}
    assert summary["mean"]["3"]["Dice"] is None


def test_label_that_dataset_json_does_not_name_is_refused(tmp_path, folders):
    content = {"labels": {"background": 0, "liver": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    save(tmp_path / "ref/c.nii.gz", 2 * box(2, 6))
    save(tmp_path / "pred/c.nii.gz", box(2, 6))
    assert "label 2" in refusal(*folders)
    assert not (folders[1] / "summary.json").exists()


def test_reference_without_prediction_is_refused(tmp_path, folders):
    save(tmp_path / "ref/c.nii.gz", box(2, 6))
    assert "has no label map for c" in refusal(*folders)
    assert not (folders[1] / "summary.json").exists()


def test_folder_without_label_maps_is_refused(tmp_path, folders):
    (tmp_path / "empty").mkdir()
    assert "has no label map" in refusal(folders[0], tmp_path / "empty")
    assert "has no label map" in refusal(tmp_path / "empty", folders[1])


def test_other_files_among_the_predictions_are_left_alone(tmp_path, folders):
    save(tmp_path / "pred/extra.nii.gz", box(2, 6))
    summary, _ = evaluate_folders(*folders)
    assert len(summary["metric_per_case"]) == 2


def test_other_grids_are_refused(tmp_path, folders):
    save(tmp_path / "ref/c.nii.gz", box(2, 6))
    save(tmp_path / "pred/c.nii.gz", box(2, 6), np.diag([2.0, 1, 1, 1]))
    text = refusal(*folders)
    assert "ref/c.nii.gz" in text and "pred/c.nii.gz" in text


def test_other_shapes_are_refused(tmp_path, folders):
    save(tmp_path / "ref/c.nii.gz", box(2, 6))
    save(tmp_path / "pred/c.nii.gz", box(2, 6, (9, 10, 10)))
    assert "9x10x10" in refusal(*folders)


def test_older_summary_is_kept(folders):
    (folders[1] / "summary.json").write_text("mine")
    assert "`overwrite=True`" in refusal(*folders)
    assert (folders[1] / "summary.json").read_text() == "mine"
    evaluate_folders(*folders, overwrite=True)
    assert "Dice" in (folders[1] / "summary.json").read_text()


@pytest.mark.parametrize("out", ["ref", "ref/", "x/../ref", "link"])
def test_references_are_no_predictions(tmp_path, folders, out):
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(folders[0])
    for overwrite in (True, False):
        text = refusal(folders[0], f"{tmp_path}/{out}", overwrite=overwrite)
        assert "is the folder of the references, too" in text
    assert sorted(os.listdir(folders[0])) == ["a.nii.gz", "b.nii.gz"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_link_to_a_reference_is_no_prediction(folders, link):
    (folders[1] / "b.nii.gz").unlink()
    link(folders[0] / "b.nii.gz", folders[1] / "b.nii.gz")
    assert "pred/b.nii.gz: is the same file as" in refusal(*folders)


def test_summary_replaces_no_label_map(folders):
    out = folders[0] / "a.nii.gz"
    text = refusal(*folders, out=out, overwrite=True)
    assert f"would replace {out}" in text


@pytest.mark.parametrize("side", [0, 1])
def test_damaged_label_map_is_named_beside_the_others(tmp_path, folders, side):
    for folder in ("ref", "pred"):
        save(tmp_path / f"{folder}/c.nii.gz", box(2, 6))
    path = folders[side] / "c.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CasesFailed, match="is truncated") as error:
        evaluate_folders(*folders)
    summary, file = error.value.result
    assert len(summary["metric_per_case"]) == 2
    (failed,) = json.loads(file.read_text())["failed"]
    assert failed["case"] == "c"
    assert failed["error"].startswith(f"{path}: is truncated")


def test_file_for_a_folder_is_refused(folders):
    assert refusal(folders[0] / "a.nii.gz", folders[1])


# Runs.


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, ball_run):
    """What `evaluate_run` returns, and the progress it reports."""
    run = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(ball_run.path, run)
    calls = []
    summary, path = evaluate_run(
        run,
        "test",
        tile_memory=MEMORY,
        progress=lambda *call: calls.append(("cases", *call)),
        voxels=lambda *call: calls.append(("voxels", *call)),
    )
    assert path == run / "evaluation/test/summary.json"
    return run, summary, path, calls


@pytest.fixture
def run(tmp_path, ball_run):
    """A copy that may be changed."""
    shutil.copytree(ball_run.path, tmp_path / "run")
    return tmp_path / "run"


def test_run_is_evaluated_on_its_test_cases(evaluated):
    run, summary, path, calls = evaluated
    assert json.loads(path.read_text()) == summary
    manifest = json.loads((run / "manifest.json").read_text())
    (name,) = manifest["cases"]["test"]
    (case,) = summary["metric_per_case"]
    assert case["prediction_file"] == str(path.parent / f"{name}.nii.gz")
    assert case["reference_file"].endswith(f"labels/{name}.nii.gz")
    assert summary["labels"] == {"1": "ball", "2": "bead"}
    assert set(summary["mean"]["1"]) == PROMISED
    cases = [call for call in calls if call[0] == "cases"]
    assert cases == [("cases", 0, 1), ("cases", 1, 1)]
    # The last tile comes before the case is done.
    kind, done, total = calls[-2]
    assert kind == "voxels" and done == total


def test_predictions_lie_beside_and_give_the_same_metrics(
    tmp_path, evaluated, ball_data
):
    _, summary, path, _ = evaluated
    names = os.listdir(path.parent)
    assert {"labels.ctbl", "labels.txt", "labels.json"} < set(names)
    (scan,) = [name for name in names if name.endswith(".nii.gz")]
    reference = tmp_path / "reference"
    reference.mkdir()
    shutil.copy(ball_data / "labels" / scan, reference)
    shutil.copy(ball_data / "dataset.json", reference)
    again, _ = evaluate_folders(
        reference, path.parent, out=tmp_path / "again.json"
    )
    assert again["mean"] == summary["mean"]


def test_older_evaluation_is_kept(evaluated):
    run, _, path, _ = evaluated
    before = path.read_bytes()
    with pytest.raises(InputError, match="`overwrite=True`"):
        evaluate_run(run, "test", tile_memory=MEMORY)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_older_evaluation_may_be_replaced(run):
    path = run / "evaluation/validation/summary.json"
    path.parent.mkdir(parents=True)
    path.write_text("older")
    evaluate_run(run, "validation", tile_memory=MEMORY, overwrite=True)
    assert "foreground_mean" in path.read_text()


def test_damaged_test_case_is_named_beside_the_others(
    tmp_path, run, ball_data, ball_config
):
    shutil.copytree(ball_data, tmp_path / "data")
    names = [f"case_{k}" for k in range(2)]
    config = ball_config(tmp_path / "data")
    RunFolder(run).config_file.write_text(config.to_toml())
    RunFolder(run).update_manifest(cases={"test": names}, case_digests={})
    path = tmp_path / "data/images/case_1.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CasesFailed) as error:
        evaluate_run(run, "test", tile_memory=MEMORY)
    assert str(error.value).startswith(f"{path}: ")
    summary, file = error.value.result
    assert len(summary["metric_per_case"]) == 1
    assert json.loads(file.read_text())["failed"][0]["case"] == "case_1"


def test_part_without_cases_is_refused(run):
    RunFolder(run).update_manifest(cases={"test": []})
    with pytest.raises(InputError, match="has no test case"):
        evaluate_run(run, "test", tile_memory=MEMORY)
    assert not (run / "evaluation").exists()


def test_case_that_is_gone_is_missed_and_not_replaced(run):
    RunFolder(run).update_manifest(cases={"test": ["case_99"]})
    with pytest.raises(InputError, match="no longer has the test case case_99"):
        evaluate_run(run, "test", tile_memory=MEMORY)


def test_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        evaluate_run(tmp_path, "test", tile_memory=MEMORY)


def test_structure_that_was_not_annotated_is_null(
    tmp_path, run, ball_data, ball_config
):
    """VISCERAL, one case, without the mask of the second structure."""
    stems = [f"1000010{k}_1_CTce_ThAb" for k in range(2)]
    for index, stem in enumerate(stems):
        image = nib.load(ball_data / f"images/case_{index}.nii.gz")
        labels = nib.load(ball_data / f"labels/case_{index}.nii.gz")
        array = np.asarray(image.dataobj)
        save(tmp_path / f"d/Volumes/{stem}.nii.gz", array, image.affine)
        for value, radlex in ((1, 58), (2, 86))[: 1 + index]:
            mask = (np.asarray(labels.dataobj) == value).astype(np.uint8)
            name = f"d/Segmentations/{stem}_{radlex}_1.nii.gz"
            save(tmp_path / name, mask, image.affine)
    config = ball_config(tmp_path / "d", labels="liver,spleen", split="0,0,1")
    RunFolder(run).config_file.write_text(config.to_toml())
    RunFolder(run).update_manifest(
        cases={"test": stems}, classes=["background", "liver", "spleen"]
    )
    summary, _ = evaluate_run(run, "test", tile_memory=MEMORY)
    first, second = summary["metric_per_case"]
    assert first["metrics"]["1"]["Dice"] is not None
    assert set(first["metrics"]["2"].values()) == {None}
    assert second["metrics"]["2"]["n_ref"] > 0
    assert summary["mean"]["2"]["Dice"] == second["metrics"]["2"]["Dice"]


def test_label_maps_of_other_classes_are_not_compared(tmp_path):
    for folder in ("truth", "guess"):
        array = np.zeros((4, 4, 4), np.uint8)
        array[1] = 1
        save(tmp_path / folder / "a.nii.gz", array, np.eye(4))
    names = {"background": 0, "liver": 1}
    (tmp_path / "truth/dataset.json").write_text(json.dumps({"labels": names}))
    write_label_tables(tmp_path / "guess", ["background", "kidney"])
    with pytest.raises(InputError, match="has liver, which the predictions do"):
        evaluate_folders(tmp_path / "truth", tmp_path / "guess")
    write_label_tables(tmp_path / "guess", ["background", "Liver"])
    summary, _ = evaluate_folders(tmp_path / "truth", tmp_path / "guess")
    assert summary["mean"]["1"]["Dice"] == 1


@pytest.fixture
def numbered(tmp_path):
    """References with values 10 and 300, and their like by classes 2 and 1."""
    truth = np.zeros((4, 4, 4), np.int16)
    truth[0], truth[1] = 10, 300
    guess = np.zeros((4, 4, 4), np.uint8)
    guess[0], guess[1] = 2, 1
    save(tmp_path / "ref/a.nii.gz", truth)
    save(tmp_path / "pred/a.nii.gz", guess)
    names = ["background", "label_300", "label_10"]
    write_label_tables(tmp_path / "pred", names)
    return tmp_path / "ref", tmp_path / "pred"


def test_values_without_names_are_the_classes_called_after_them(numbered):
    summary, _ = evaluate_folders(*numbered)
    assert summary["labels"] == {"1": "label_300", "2": "label_10"}
    assert [summary["mean"][k]["Dice"] for k in "12"] == [1, 1]


def test_values_that_are_no_class_are_background(tmp_path, numbered, caplog):
    truth = np.full((4, 4, 4), 1, np.int16)
    truth[0], truth[1] = 10, 300
    write_volume(
        tmp_path / "ref/a.nii.gz", Volume(truth, np.eye(4)), overwrite=True
    )
    summary, _ = evaluate_folders(*numbered)
    assert [summary["mean"][k]["Dice"] for k in "12"] == [1, 1]
    assert "1 in the references: no class" in caplog.text


@pytest.mark.parametrize("named", [False, True])
def test_references_that_hold_classes_are_compared_by_number(
    tmp_path, numbered, named
):
    shutil.copy(tmp_path / "pred/a.nii.gz", tmp_path / "ref/a.nii.gz")
    if named:
        shutil.copy(tmp_path / "pred/labels.json", tmp_path / "ref")
    summary, _ = evaluate_folders(*numbered)
    assert [summary["mean"][k]["Dice"] for k in "12"] == [1, 1]


def test_names_beside_the_references_must_agree(tmp_path, numbered):
    write_label_tables(tmp_path / "ref", ["background", "kidney", "label_10"])
    text = refusal(*numbered)
    assert "has kidney, which the predictions do not name" in text


def test_label_that_the_predictions_do_not_name_is_refused(tmp_path):
    save(tmp_path / "truth/a.nii.gz", np.full((3, 3, 3), 2, np.uint8))
    save(tmp_path / "guess/a.nii.gz", np.ones((3, 3, 3), np.uint8))
    write_label_tables(tmp_path / "guess", ["background", "kidney"])
    text = refusal(tmp_path / "truth", tmp_path / "guess")
    assert "holds the label 2, which has no name" in text


@pytest.fixture
def renumbered(tmp_path):
    """References with gaps, predictions that turn their three labels round."""
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[0], truth[1], truth[2] = 1, 3, 200
    guess = np.zeros((4, 4, 4), np.uint8)
    guess[0], guess[1], guess[2] = 2, 3, 1
    save(tmp_path / "ref/a.nii.gz", truth)
    save(tmp_path / "pred/a.nii.gz", guess)
    name_references(tmp_path / "ref", liver=1, spleen=3, left_kidney=200)
    names = ["background", "Left kidney", "Liver", "Spleen"]
    write_label_tables(tmp_path / "pred", names)
    return tmp_path / "ref", tmp_path / "pred"


def name_references(folder, **values):
    folder.mkdir(parents=True, exist_ok=True)
    content = {"labels": {"background": 0, **values}}
    (folder / "dataset.json").write_text(json.dumps(content))


def test_labels_are_matched_by_name_and_numbered_as_predicted(
    renumbered, caplog
):
    summary, _ = evaluate_folders(*renumbered)
    assert summary["labels"] == {
        "1": "Left kidney",
        "2": "Liver",
        "3": "Spleen",
    }
    assert [summary["mean"][k]["Dice"] for k in "123"] == [1, 1, 1]
    assert "matched by name" in caplog.text


def test_label_without_a_name_beside_matched_ones_is_refused(renumbered):
    truth = np.full((4, 4, 4), 2, np.uint8)
    file = renumbered[0] / "a.nii.gz"
    write_volume(file, Volume(truth, np.eye(4)), overwrite=True)
    text = refusal(*renumbered)
    assert f"{file}: holds the label 2, which has no name" in text


def test_structure_that_predictions_lack_is_background(renumbered, caplog):
    name_references(renumbered[0], liver=1, spleen=3, left_kidney=200, lung=9)
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[0], truth[1], truth[2], truth[3] = 1, 3, 200, 9
    save(renumbered[0] / "b.nii.gz", truth)
    shutil.copy(renumbered[1] / "a.nii.gz", renumbered[1] / "b.nii.gz")
    summary, _ = evaluate_folders(*renumbered)
    assert set(summary["mean"]) == set("123")
    assert summary["foreground_mean"]["Dice"] == 1
    assert "lung: not named by the predictions" in caplog.text


def test_predicted_structure_that_references_lack_is_false(renumbered, caplog):
    name_references(renumbered[0], liver=1, left_kidney=200)
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[0], truth[2] = 1, 200
    write_volume(
        renumbered[0] / "a.nii.gz", Volume(truth, np.eye(4)), overwrite=True
    )
    summary, _ = evaluate_folders(*renumbered)
    assert [summary["mean"][k]["Dice"] for k in "123"] == [1, 1, 0]
    assert "Spleen: not named by the references" in caplog.text


def test_large_values_keep_their_numbers(tmp_path):
    truth = np.zeros((3, 3, 3), np.uint16)
    truth[0], truth[1] = 2035, 17
    for folder in ("ref", "pred"):
        save(tmp_path / folder / "a.nii.gz", truth)
    name_references(tmp_path / "ref", insula=2035, hippocampus=17)
    summary, _ = evaluate_folders(tmp_path / "ref", tmp_path / "pred")
    assert summary["labels"] == {"17": "hippocampus", "2035": "insula"}
    assert summary["foreground_mean"]["Dice"] == 1


def test_references_in_the_working_folder_are_named_from_above(
    renumbered, monkeypatch
):
    shutil.move(renumbered[0] / "dataset.json", renumbered[0].parent)
    monkeypatch.chdir(renumbered[0])
    summary, _ = evaluate_folders(".", renumbered[1])
    assert summary["foreground_mean"]["Dice"] == 1


def test_maps_without_any_label_are_refused(tmp_path):
    for folder in ("ref", "pred"):
        save(tmp_path / folder / "a.nii.gz", np.zeros((3, 3, 3), np.uint8))
    text = refusal(tmp_path / "ref", tmp_path / "pred")
    assert "hold no label but the background" in text
    assert not (tmp_path / "pred/summary.json").exists()


def test_images_are_no_label_maps(tmp_path):
    image = np.arange(12**3, dtype=np.uint16).reshape(12, 12, 12)
    for folder in ("ref", "pred"):
        save(tmp_path / folder / "a.nii.gz", image)
    text = refusal(tmp_path / "ref", tmp_path / "pred")
    assert "holds labels of 1727 values without names" in text


def test_predictions_name_their_own_labels(tmp_path):
    for folder in ("truth", "guess"):
        save(
            tmp_path / folder / "a.nii.gz",
            np.ones((3, 3, 3), np.uint8),
            np.eye(4),
        )
    write_label_tables(tmp_path / "guess", ["background", "kidney"])
    summary, _ = evaluate_folders(tmp_path / "truth", tmp_path / "guess")
    assert summary["labels"] == {"1": "kidney"}


@pytest.mark.parametrize("codes", ["LPS", "SRA"])
def test_predictions_with_other_axes_are_compared(folders, codes):
    expected, _ = evaluate_folders(*folders)
    for path in folders[1].glob("*.nii.gz"):
        image = nib.load(path)
        data = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
        change = nib.orientations.axcodes2ornt(codes)
        nib.save(data.as_reoriented(_from_ras(change)), path)
    found, _ = evaluate_folders(*folders, overwrite=True)
    assert found == expected


def _from_ras(orientation):
    ras = nib.orientations.axcodes2ornt("RAS")
    return nib.orientations.ornt_transform(ras, orientation)
