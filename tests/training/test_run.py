"""One run from settings to files."""

import json
import os
import shutil
import threading
import time

import keras
import nibabel as nib
import numpy as np
import pytest

from keras_isample.callbacks import VolumeDice
from keras_isample.callbacks import volume_dice
from keras_isample.config import Config
from keras_isample.data.cohort import read_cohort
from keras_isample.data.partial import training_cases
from keras_isample.errors import InputError
from keras_isample.training import run
from keras_isample.training import run_data
from keras_isample.training.history import read_history
from keras_isample.training.run import fit
from keras_isample.training.run_data import open_cohort
from keras_isample.training.run_data import read_run_data
from keras_isample.training.run_data import split_cohort
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.trainer import Trainer
from keras_isample.volumes.lock import held


@pytest.fixture
def rows(ball_run):
    return read_history(ball_run.path / "history.csv")


def test_run_folder_is_complete(ball_run):
    assert set(os.listdir(ball_run.path)) == {
        "config.toml",
        "manifest.json",
        "model.keras",
        "checkpoint",
        "history.csv",
        "logs",
    }


def test_what_was_recognized_is_said(ball_run):
    said = (ball_run.path.parent / "said.txt").read_text()
    assert said.startswith("images/ + labels/ at ")
    assert "4 cases" in said
    assert "1 ball, 2 bead" in said


def test_configuration_is_kept_as_resolved(ball_run, ball_config):
    wanted = ball_config(sample_from="refreshed")
    assert RunFolder(ball_run.path).config() == wanted


def test_manifest_tells_what_was_run(ball_run):
    manifest = json.loads((ball_run.path / "manifest.json").read_text())
    assert manifest["command_line"] == ["fit", "balls"]
    assert manifest["started"] <= manifest["finished"]
    assert manifest["best_val_dice"] == ball_run.best_dice
    assert [len(c) for c in manifest["cases"].values()] == [2, 1, 1]


def test_history_has_a_row_an_epoch(rows):
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [3, 6, 9]


def test_history_has_the_columns_promised(rows):
    assert set(rows[0]) == {
        "epoch",
        "step",
        "loss",
        "loss_total",
        "learning_rate",
        "noise_scale",
        "acceptance_rate",
        "mean_error",
        "val_dice",
        "val_iou",
        "val_accuracy",
        "val_dice_ball",
        "val_dice_bead",
        "seconds_training",
        "seconds_error_maps",
        "seconds_validation",
    }
    assert all(value is not None for row in rows for value in row.values())


def test_history_has_the_values_promised(rows):
    for row in rows:
        assert row["learning_rate"] == pytest.approx(0.01)
        assert row["noise_scale"] == pytest.approx(0.01 / 2)
        assert 0 < row["loss"] < row["loss_total"]
        assert 0 < row["acceptance_rate"] <= 1
        assert 0 < row["mean_error"] < 1
        parts = (row["val_dice_ball"], row["val_dice_bead"])
        assert row["val_dice"] == pytest.approx(np.mean(parts))
        assert all(v >= 0 for k, v in row.items() if k.startswith("seconds"))
    # Before the first update everything is accepted.
    assert rows[0]["acceptance_rate"] == 1
    assert rows[1]["acceptance_rate"] < 1


def test_data_term_and_penalty_are_told_apart(ball_run, rows):
    model = keras.models.load_model(ball_run.path / "model.keras")
    penalties = [row["loss_total"] - row["loss"] for row in rows]
    assert sum(map(float, model.losses)) == pytest.approx(
        np.mean(penalties), rel=0.05
    )


def test_result_is_that_of_the_history(ball_run, rows):
    assert ball_run.best_dice == max(row["val_dice"] for row in rows)
    assert len(ball_run.rows) == 3


def test_model_knows_its_preprocessing(ball_run):
    model = keras.models.load_model(ball_run.path / "model.keras")
    facts = model.metadata["preprocessing"]
    assert facts["spacing"] is None
    assert facts["intensity"] == "ct"
    assert facts["class_names"] == ["background", "ball", "bead"]


def test_model_is_the_best_of_validation(ball_run, ball_config):
    config = ball_config()
    parts = split_cohort(open_cohort(config), config)
    callback = VolumeDice(parts["validation"])
    callback.set_model(keras.models.load_model(ball_run.path / "model.keras"))
    assert np.mean(callback.dice()) == pytest.approx(ball_run.best_dice)


def test_scans_are_predicted_with_averages_of_the_weights(
    tmp_path, ball_config
):
    config = ball_config(ema_momentum=0.8, epochs=1)
    result = fit(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    model = keras.models.load_model(folder.model_file)
    parts = split_cohort(open_cohort(config), config)
    callback = VolumeDice(parts["validation"])
    callback.set_model(model)
    assert np.mean(callback.dice()) == pytest.approx(result.best_dice)
    with np.load(folder.state_file) as state:
        for i, variable in enumerate(model.variables):
            variable.assign(state[f"variable/{i:05d}"])
    assert np.mean(callback.dice()) != pytest.approx(result.best_dice)


def test_error_maps_are_those_of_the_last_update(ball_run):
    folder = RunFolder(ball_run.path).error_map_folder
    assert set(os.listdir(folder)) == {
        f"0000{index}-000003{kind}.npy"
        for index in range(2)
        for kind in ("", ".blocks", ".mean")
    }


def test_seed_changes_the_split_unless_it_has_its_own(tmp_path, write_balls):
    data = write_balls(tmp_path / "balls", cases=9)

    def split(**settings):
        config = Config.from_settings(data, {"split": "5,2,2", **settings})
        parts = split_cohort(open_cohort(config), config)
        return [[c.name for c in part.cases] for part in parts.values()]

    assert split(seed=0) != split(seed=1)
    assert split(seed=1, split_seed="0") == split(seed=0)
    assert split(seed=0, split_seed="1") == split(seed=1)


def test_existing_run_is_refused(ball_run, ball_config):
    before = sorted(os.listdir(ball_run.path))
    with pytest.raises(InputError, match="exists already"):
        fit(ball_config(), ball_run.path)
    assert sorted(os.listdir(ball_run.path)) == before


def test_resuming_a_finished_run_changes_nothing(ball_run, ball_config):
    model = ball_run.path / "model.keras"
    before = model.read_bytes()
    history = (ball_run.path / "history.csv").read_text()
    result = fit(ball_config(), ball_run.path, resume=True)
    assert result.best_dice == ball_run.best_dice
    assert model.read_bytes() == before
    assert (ball_run.path / "history.csv").read_text() == history


def test_run_of_another_process_is_refused(monkeypatch, ball_run, ball_config):
    monkeypatch.setattr(run, "_PATIENCE", 0)
    history = (ball_run.path / "history.csv").read_text()
    with held(ball_run.path / run._LOCK):
        for options in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(InputError, match=f"process {os.getpid()}"):
                fit(ball_config(epochs=9), ball_run.path, **options)
    assert (ball_run.path / "history.csv").read_text() == history
    wanted = ball_config(sample_from="refreshed")
    assert RunFolder(ball_run.path).config() == wanted


def test_folder_taken_back_is_made_again_by_who_waited(tmp_path):
    path = tmp_path / "runs/run"
    begun = threading.Event()

    def other():
        with run._alone(path):
            begun.set()
            time.sleep(0.3)

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(60)
    with run._alone(path):
        thread.join()
        assert os.listdir(path) == [run._LOCK]
    assert not path.exists()


def test_resuming_nothing_is_refused(tmp_path, ball_config):
    with pytest.raises(InputError, match="holds no run"):
        fit(ball_config(), tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def broken(data):
    """Truncates a scan."""
    path = data / "images/case_3.nii.gz"
    path.write_bytes(path.read_bytes()[:5000])
    return path


def test_broken_scan_leaves_no_run(tmp_path, write_balls, ball_config):
    data = write_balls(tmp_path / "data")
    path = broken(data)
    with pytest.raises(InputError) as error:
        fit(ball_config(data, split="3,1,0"), tmp_path / "run")
    assert str(error.value).startswith(str(path))
    assert not (tmp_path / "run").exists()


def test_broken_scan_does_not_cost_an_older_run(
    tmp_path, write_balls, ball_config
):
    data = write_balls(tmp_path / "data")
    broken(data)
    config = ball_config(data, split="3,1,0")
    folder = RunFolder(tmp_path / "run")
    folder.create(config, {})
    folder.model_file.write_text("older model")
    with pytest.raises(InputError, match="truncated"):
        fit(config, tmp_path / "run", overwrite=True)
    assert folder.model_file.read_text() == "older model"


def test_split_without_training_cases_is_refused(tmp_path, ball_config):
    with pytest.raises(InputError, match="no case to train on"):
        fit(ball_config(split="0,1,1"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Cases that are not wholly annotated.


@pytest.fixture
def partial_data(tmp_path, write_balls):
    """VISCERAL: the first of three cases lacks the mask of the spleen."""
    source = write_balls(tmp_path / "balls", cases=3)
    for index in range(3):
        stem = f"1000010{index}_1_CTce_ThAb"
        image = nib.load(source / f"images/case_{index}.nii.gz")
        labels = nib.load(source / f"labels/case_{index}.nii.gz")
        (tmp_path / "data/Volumes").mkdir(parents=True, exist_ok=True)
        nib.save(image, tmp_path / f"data/Volumes/{stem}.nii.gz")
        for value, radlex in ((1, 58), (2, 86)):
            if (index, radlex) == (0, 86):
                continue
            mask = (np.asarray(labels.dataobj) == value).astype(np.uint8)
            path = tmp_path / f"data/Segmentations/{stem}_{radlex}_1.nii.gz"
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(mask, labels.affine), path)
    return tmp_path / "data"


@pytest.mark.parametrize(
    "partial, number, said",
    [
        ("merge", 3, "one class with the background"),
        ("exclude", 2, "left out of training"),
        ("background", 3, "taken as background"),
    ],
)
def test_treatment_of_partial_cases_is_said(
    partial_data, partial, number, said
):
    cohort = read_cohort(partial_data, ["liver", "spleen"], partial=partial)
    kept, (line,) = training_cases(cohort)
    assert len(kept.cases) == number
    assert line.startswith("10000100_1_CTce_ThAb: spleen not annotated: ")
    assert said in line
    assert f"`partial={partial!r}`" in line


def test_only_partial_cases_are_refused(partial_data):
    cohort = read_cohort(partial_data, ["liver", "spleen"], partial="exclude")
    cohort = cohort.subset([cohort.cases[0].name])
    with pytest.raises(InputError, match="no case to train on.*`partial`"):
        training_cases(cohort)


def test_loss_and_metrics_know_what_is_merged(partial_data, ball_config):
    config = ball_config(
        partial_data,
        labels="liver,spleen",
        split="1,0,0",
        error_maps="online",
        width=0.1,
    )
    trainer = Trainer(config, read_run_data(config).prepare())
    assert trainer.sampler.merged_classes == ((2,),)
    assert trainer.model.loss.merged_classes == ((2,),)
    assert trainer._maps.metric.merged_classes == ((2,),)


@pytest.mark.slow
@pytest.mark.parametrize(
    "partial, number", [("merge", 3), ("exclude", 2), ("background", 3)]
)
def test_partial_cases_are_trained_on_or_not(
    tmp_path, partial_data, ball_config, partial, number
):
    config = ball_config(
        partial_data,
        labels="liver,spleen",
        split="1,0,0",
        partial=partial,
        epochs=1,
    )
    result = fit(config, tmp_path / "run")
    files = os.listdir(RunFolder(tmp_path / "run").error_map_folder)
    assert len({name.partition(".")[0] for name in files}) == number
    assert result.best_dice is None
    assert (tmp_path / "run/model.keras").exists()


# Settings that change the course of a run.


@pytest.mark.slow
def test_same_seed_gives_the_same_run(
    tmp_path, ball_run, ball_config, assert_same_end
):
    fit(ball_config(), tmp_path / "again")
    assert_same_end(tmp_path / "again", ball_run.path)


@pytest.mark.slow
def test_other_seed_gives_another_run(tmp_path, ball_run, ball_config, rows):
    # The same cases, so that only weights and patches can differ.
    config = ball_config(seed=1, epochs=1)
    first = fit(config, tmp_path / "other").rows[0]
    assert first["loss"] != rows[0]["loss"]


@pytest.mark.slow
def test_uniform_sampling_makes_no_maps(tmp_path, ball_config):
    config = ball_config(sampling="uniform", epochs=2)
    fit(config, tmp_path / "run")
    rows = read_history(tmp_path / "run/history.csv")
    assert [row["acceptance_rate"] for row in rows] == [1, 1]
    assert [row["mean_error"] for row in rows] == [None, None]
    folder = RunFolder(tmp_path / "run").error_map_folder
    assert not folder.exists() or os.listdir(folder) == []


@pytest.mark.slow
def test_subset_of_the_maps_is_refreshed(tmp_path, ball_config):
    config = ball_config(error_map_cases="1", split="3,1,0", epochs=2)
    fit(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run").error_map_folder
    maps = {name.partition(".")[0] for name in os.listdir(folder)}
    assert 1 <= len(maps) <= 2
    assert sum(name.endswith("-000002") for name in maps) == 1


@pytest.mark.slow
def test_several_channels_are_learned_from(tmp_path, write_balls, ball_config):
    data = write_balls(tmp_path / "data", channels=2, codes="PLI")
    fit(ball_config(data, epochs=1, intensity="zscore"), tmp_path / "run")
    model = keras.models.load_model(tmp_path / "run/model.keras")
    assert model.metadata["num_channels"] == 2
    assert model.inputs[0].shape[-1] == 2
    assert model.metadata["preprocessing"]["intensity"] == "zscore"


@pytest.mark.slow
def test_validation_every_second_epoch(tmp_path, ball_config):
    config = ball_config(validate_every=2, save_error_maps=True)
    result = fit(config, tmp_path / "run")
    rows = read_history(tmp_path / "run/history.csv")
    validated = [row["val_dice"] is not None for row in rows]
    assert validated == [False, True, False]
    assert result.best_dice == rows[1]["val_dice"]
    # With --save-error-maps, on the grid of training.
    maps = sorted(os.listdir(tmp_path / "run/error_maps"))
    assert len(maps) == 2
    image = nib.load(tmp_path / "run/error_maps" / maps[0])
    assert image.shape[1:] == (32, 34)
    values = image.get_fdata()
    assert 0 <= values.min() < values.max() <= 1


def test_all_scans_that_are_prepared_are_counted(ball_config):
    calls = []
    data = read_run_data(ball_config())
    data.prepare(lambda *call: calls.append(call))
    # Two to train and one to validate with.
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_every_phase_of_a_run_is_shown(tmp_path, ball_config, listener):
    config = ball_config(epochs=1, steps_per_epoch=2, save_error_maps=True)
    calls = []
    fit(
        config,
        tmp_path / "run",
        reporter=listener,
        progress=lambda *call: calls.append(call),
    )
    begun = [line for line in listener.heard if line.startswith("begin ")]
    assert begun == [
        "begin reading headers",
        "begin preparing scans",
        "begin noting what the scans look like",
        "begin building the network",
        "begin planning error maps",
        "begin planning validation",
        "begin compiling the first step",
        "begin epoch 1/1",
        "begin normalization",
        "begin error maps",
        "begin validation",
        "begin saving the epoch",
        "begin saving error maps",
    ]
    for title in begun:
        assert title.replace("begin", "end") in listener.heard
    assert "epoch 1/1  step 2/2" in listener.heard
    (line,) = listener.said
    assert line.startswith("epoch 1/1  loss ")
    assert calls[-1] == (3, 3)


def test_validation_may_take_some_of_its_cases(ball_config):
    cohort = open_cohort(ball_config())
    subsets = set()
    for seed in range(20):
        chosen = run_data._some_cases(cohort, 2, seed)
        assert run_data._some_cases(cohort, 2, seed) == chosen
        subsets.add(tuple(case.name for case in chosen.cases))
    assert len(subsets) > 1 and {len(names) for names in subsets} == {2}
    for number in (None, 4, 9):
        assert run_data._some_cases(cohort, number, 0) == cohort


@pytest.mark.slow
def test_only_as_many_cases_are_validated_as_told(
    tmp_path, ball_config, monkeypatch
):
    predicted = []
    predict = volume_dice.predict_label_map
    monkeypatch.setattr(
        volume_dice,
        "predict_label_map",
        lambda *args, **options: (
            predicted.append(1) or predict(*args, **options)
        ),
    )
    config = ball_config(split="1,3,0", validate_cases="2", epochs=1)
    fit(config, tmp_path / "run")
    assert len(predicted) == 2
    assert len(RunFolder(tmp_path / "run").cases("validation")) == 3


@pytest.mark.slow
def test_overwriting_starts_anew(tmp_path, ball_config):
    config = ball_config(epochs=1)
    first = fit(config, tmp_path / "run")
    (tmp_path / "run/evaluation").mkdir()
    second = fit(config, tmp_path / "run", overwrite=True)
    assert second.rows[0]["loss"] == first.rows[0]["loss"]
    assert not (tmp_path / "run/evaluation").exists()
    assert ".replaced" not in os.listdir(tmp_path / "run")


@pytest.mark.parametrize("source", ["", "model.keras"])
def test_run_that_is_replaced_is_no_start(ball_run, ball_config, source):
    before = sorted(os.listdir(ball_run.path))
    config = ball_config(init_from=str(ball_run.path / source))
    with pytest.raises(InputError, match="`init_from`: .*to be replaced"):
        fit(config, ball_run.path, overwrite=True)
    assert sorted(os.listdir(ball_run.path)) == before


@pytest.mark.slow
def test_learning_makes_the_loss_smaller(tmp_path, ball_config):
    config = ball_config(
        epochs=4,
        steps_per_epoch=15,
        batch_size=4,
        learning_rate=0.05,
        validate_every=4,
    )
    result = fit(config, tmp_path / "run")
    losses = [row["loss"] for row in result.rows]
    assert losses[-1] < 0.5 * losses[0]
    # Whether the bead is found this early depends on rounding.
    assert result.rows[-1]["val_dice_ball"] > 0.8


@pytest.fixture
def write_slices(tmp_path):
    """Function that writes a data set of scans of these thicknesses."""

    def write(thicknesses):
        path = tmp_path / "slices"
        for folder, value in (("images", 100), ("labels", 1)):
            (path / folder).mkdir(parents=True)
            for number, thickness in enumerate(thicknesses):
                values = np.full((12, thickness, 16), value, np.uint8)
                values[0] = 0
                image = nib.Nifti1Image(values, np.diag([0.7, 5, 0.7, 1]))
                nib.save(image, path / folder / f"case_{number}.nii.gz")
        return path

    return write


@pytest.mark.parametrize(
    ("thickness", "options", "spacing", "axis"),
    [
        (1, {}, "native", 1),
        (1, {"spacing": "2,2,2"}, (2, 2, 2), 1),
        (4, {}, (1, 1, 1.5), None),
        (4, {"axis": "auto"}, "native", 1),
        (1, {"network": "dual-path"}, (1, 1, 1.5), None),
    ],
)
def test_images_decide_on_slices_and_spacing(
    tmp_path, write_slices, thickness, options, spacing, axis
):
    settings = {"network": "unet", "cache": str(tmp_path / "cache"), **options}
    path = write_slices([thickness] * 4)
    config = Config.from_settings(path, settings)
    with run.opened_run(config, tmp_path / "run") as (folder, data):
        assert data.axis == axis
        written = folder.config()
        assert written.data.spacing == spacing
        assert data.train.spacing == written.data.spacing_mm
        assert written.network.axis == ("none" if axis is None else "auto")
        # The run that was asked for, and it can go on.
        assert not config.differences(written)
        assert read_run_data(written).config == written


def test_a_run_keeps_the_tile_memory_that_the_machine_decides(
    write_slices, monkeypatch
):
    def kept(path, **settings):
        config = Config.from_settings(path, {"network": "unet", **settings})
        found = read_run_data(config).config
        assert not config.differences(found)
        return found

    chosen = "keras_isample.training.run_data.plain_tile_memory"
    monkeypatch.setattr(chosen, lambda: 5_000_000_001)
    volumes = write_slices([4] * 4)
    written = kept(volumes)
    assert written.training.tile_bytes == 5_000_000_001
    assert kept(volumes, tile_memory="2GB").training.tile_memory == 2 * 10**9
    # Of these the machine decides nothing.
    assert kept(volumes, axis="auto").training.tile_memory == "auto"
    assert kept(volumes, network="dual-path").training.tile_memory == "auto"
    # The run goes on where there is less.
    monkeypatch.setattr(chosen, lambda: 10**9)
    assert read_run_data(written).config == written


def test_cases_that_are_trained_on_decide_on_slices(tmp_path, write_slices):
    path = write_slices([1, 1, 1, 4])
    rows = [f"case_{k},train" for k in range(3)] + ["case_3,validation"]
    (path / "cases.csv").write_text("\n".join(["case,split", *rows]) + "\n")
    settings = {"network": "unet", "cache": str(tmp_path / "cache")}
    slices = read_run_data(Config.from_settings(path, settings))
    assert slices.config.network.axis == "auto"
    assert slices.parts["train"].spacing is None
    refitted = Config.from_settings(path, {**settings, "refit": True})
    volumes = read_run_data(refitted)
    assert volumes.config.network.axis == "none"
    assert volumes.parts["train"].spacing == (1.0, 1.0, 1.5)


def test_evaluating_other_data_needs_no_split_of_them(write_slices):
    settings = {"network": "unet", "fold": "1/5"}
    config = Config.from_settings(write_slices([4, 4]), settings)
    assert len(open_cohort(config).cases) == 2


@pytest.fixture
def lesions(tmp_path):
    """Four scans with a liver in one piece and a lesion in three."""
    for index in range(4):
        labels = np.zeros((12, 12, 12), np.uint8)
        labels[:6] = 1
        labels[8:10, 1::4, 1] = 2
        image = np.random.default_rng(index).integers(-900, 900, labels.shape)
        for folder, array in (("images", image), ("labels", labels)):
            (tmp_path / "d" / folder).mkdir(parents=True, exist_ok=True)
            file = nib.Nifti1Image(array.astype(np.int16), np.eye(4))
            nib.save(file, tmp_path / "d" / folder / f"case_{index}.nii.gz")
    names = {"labels": {"background": 0, "liver": 1, "lesion": 2}}
    (tmp_path / "d/dataset.json").write_text(json.dumps(names))
    return tmp_path / "d"


def test_classes_in_several_places_are_said(tmp_path, lesions, ball_config):
    said = []
    config = ball_config(lesions)
    with run.opened_run(config, tmp_path / "run", say=said.append):
        pass
    assert said[-1] == (
        "in several places, so left whole in predictions: lesion (2 of 2 "
        "training cases)"
    )


def test_model_knows_what_its_training_cases_were_like(
    tmp_path, lesions, ball_config
):
    data = read_run_data(ball_config(lesions)).prepare()
    facts = Trainer(ball_config(lesions), data).model.metadata["preprocessing"]
    assert facts["whole"] == [2]
    assert facts["smallest"] == [12, 12, 12]


def test_images_of_all_parts_are_noted(tmp_path, lesions, ball_config, caplog):
    shutil.copy(
        lesions / "images/case_0.nii.gz", lesions / "images/case_1.nii.gz"
    )
    table = "case,split\ncase_0,train\ncase_1,test\ncase_2,val\ncase_3,train"
    (lesions / "cases.csv").write_text(table)
    with run.opened_run(ball_config(lesions), tmp_path / "run") as (folder, _):
        noted = folder.manifest()["case_digests"]
    assert set(noted) == {f"case_{k}" for k in range(4)}
    assert noted["case_0"] == noted["case_1"]
    assert "case_0 (train) and case_1 (test) are the same scan" in caplog.text


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("name", ["d", ".", "d/images"])
def test_data_are_never_replaced_by_a_run(
    tmp_path, lesions, ball_config, overwrite, name
):
    (lesions / "config.toml").write_text("mine")
    before = sorted(lesions.rglob("*"))
    with pytest.raises(InputError, match="Choose another `run`"):
        fit(ball_config(lesions), tmp_path / name, overwrite=overwrite)
    assert sorted(lesions.rglob("*")) == before


def test_costs_stand_in_the_manifest(ball_run):
    facts = RunFolder(ball_run.path).manifest()
    maps = facts["error_maps"]
    assert (maps["way"], maps["cases"], maps["budget"]) == ("whole", 2, 0)
    assert maps["epoch"] > 3 * maps["step"] > 0 < maps["whole"]
    shares = facts["planned_shares"]
    assert sum(shares.values()) == pytest.approx(1)
    ratio = shares["error_maps"] / shares["training"]
    assert ratio == pytest.approx(maps["whole"] / maps["epoch"])


@pytest.fixture(scope="module")
def block_run(tmp_path_factory, ball_config):
    """A run whose error maps are refreshed block by block, and its lines."""
    said = []
    result = fit(
        ball_config(error_map_share=0.4, save_error_maps=True),
        tmp_path_factory.mktemp("blocks") / "run",
        say=said.append,
    )
    return result, said


def test_maps_are_refreshed_by_blocks_where_the_share_is_small(block_run):
    result, said = block_run
    folder = RunFolder(result.path)
    facts = folder.manifest()
    assert facts["error_maps"]["way"] == "blocks"
    shares = facts["planned_shares"]
    ratio = shares["error_maps"] / shares["training"]
    assert ratio == pytest.approx(0.4 / 0.6, abs=1e-6)
    (line,) = [line for line in said if line.startswith("error maps: ")]
    assert line.startswith("error maps: block by block, 66.7% of what")
    (line,) = [line for line in said if line.startswith("planned shares")]
    assert f"error maps {shares['error_maps']:.1%}" in line
    assert folder.config().sampling.sample_from == "all"
    rates = [row["acceptance_rate"] for row in result.rows]
    assert rates[0] == 1 > rates[2]
    errors = [row["mean_error"] for row in result.rows]
    assert all(0 < error < 1 for error in errors[1:])


def test_known_and_filled_errors_of_blocks_are_written(block_run):
    result, _ = block_run
    saved = sorted((result.path / "error_maps").iterdir())
    assert 1 <= len(saved) <= 2
    errors = np.asarray(nib.load(saved[0]).dataobj)
    assert errors.shape[1:] == (32, 34)
    assert 0 <= errors.min() < errors.max() <= 1


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"error_map_cases": "1"}, "`error_map_cases`: "),
        ({"sample_from": "refreshed"}, "`sample_from`: "),
    ],
)
def test_whole_maps_beside_a_small_share_leave_nothing_behind(
    tmp_path, ball_config, settings, option
):
    config = ball_config(error_map_share=0.05, **settings)
    with pytest.raises(InputError, match=option):
        fit(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
