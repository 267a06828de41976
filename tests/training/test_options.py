"""Runs that begin, go on and end in other ways than by default."""

import json
from functools import partial

import keras
import nibabel as nib
import numpy as np
import pytest

from keras_isample.callbacks.volume_dice import VolumeDice
from keras_isample.errors import InputError
from keras_isample.training.autolr import AutoLR
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder

SLICES = {
    "network": "unet",
    "width": 0.1,
    "patch_size": "full",
    "axis": "coronal",
}


def test_class_weights_are_said_and_kept(tmp_path, ball_config):
    said = []
    config = ball_config(loss="wce", class_weights="median-frequency", epochs=1)
    fit(config, tmp_path / "run", say=said.append)
    weights = RunFolder(tmp_path / "run").manifest()["class_weights"]
    assert 0 < weights["background"] < weights["ball"]
    assert any("median-frequency" in line and "ball" in line for line in said)


def test_training_stops_where_dice_no_longer_rises(
    tmp_path, ball_config, monkeypatch
):
    scores = iter([0.5, 0.6, 0.6, 0.55, 0.9])

    def measure(self):
        return np.full((1, len(self.class_names)), next(scores)), [1.0]

    monkeypatch.setattr(VolumeDice, "_measure", measure)
    config = ball_config(epochs=5, early_stopping=2, steps_per_epoch=1)
    result = fit(config, tmp_path / "run")
    assert len(result.rows) == 4
    assert result.best_dice == pytest.approx(0.6)
    said = []
    again = fit(config, tmp_path / "run", resume=True, say=said.append)
    assert again.rows == result.rows
    assert said[-1] == (
        "stopped after epoch 4: validation Dice has not risen for 2 epochs"
    )


@pytest.fixture(scope="module")
def healthy_data(tmp_path_factory, write_balls):
    """Balls, of which the validation case alone has none."""
    root = write_balls(tmp_path_factory.mktemp("healthy") / "data", cases=3)
    parts = ["train", "train", "validation"]
    rows = [f"case_{i},{part}" for i, part in enumerate(parts)]
    (root / "cases.csv").write_text("\n".join(["case,split", *rows]) + "\n")
    path = root / "labels" / "case_2.nii.gz"
    image = nib.load(path)
    empty = np.zeros(image.shape, np.uint8)
    nib.save(nib.Nifti1Image(empty, image.affine), path)
    return root


def test_without_a_structure_to_validate_with_the_newest_model_is_kept(
    tmp_path, ball_config, monkeypatch, healthy_data
):
    """Also where the first epoch found something and the next ones did not."""
    found = iter([np.nan, 0.0, np.nan])

    def measure(self):
        return np.full((1, len(self.class_names)), next(found)), [1.0]

    monkeypatch.setattr(VolumeDice, "_measure", measure)
    said = []
    config = ball_config(healthy_data, steps_per_epoch=1)
    result = fit(config, tmp_path / "run", say=said.append)
    assert result.best_dice is None
    assert any("the newest model is kept" in line for line in said)
    assert all(np.isnan(row["val_dice"]) for row in result.rows)
    folder = RunFolder(tmp_path / "run")
    state = np.load(folder.state_file)
    kernel = keras.models.load_model(folder.model_file).weights[0].numpy()
    assert np.array_equal(kernel, state["variable/00000"])


@pytest.mark.parametrize("option", ["early_stopping", "learning_rate"])
def test_what_needs_a_score_needs_a_structure(
    tmp_path, ball_config, healthy_data, option
):
    value = {"early_stopping": 2, "learning_rate": "auto"}[option]
    config = ball_config(healthy_data, **{option: value})
    train = (
        AutoLR(config).fit if config.optimizer.is_auto else partial(fit, config)
    )
    with pytest.raises(InputError, match="one of the structures"):
        train(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_made_shorter(tmp_path, ball_config):
    run = tmp_path / "run"
    fit(ball_config(epochs=2, steps_per_epoch=1), run)
    written = (run / "config.toml").read_text()
    with pytest.raises(InputError, match="`epochs`: is 1, and .* has had 2"):
        fit(ball_config(epochs=1, steps_per_epoch=1), run, resume=True)
    assert (run / "config.toml").read_text() == written


def test_stopping_early_waits_for_a_validation(
    tmp_path, ball_config, monkeypatch
):
    scores = iter([0.5, 0.4])

    def measure(self):
        return np.full((1, len(self.class_names)), next(scores)), [1.0]

    monkeypatch.setattr(VolumeDice, "_measure", measure)
    config = ball_config(
        epochs=8, early_stopping=1, validate_every=2, steps_per_epoch=1
    )
    assert len(fit(config, tmp_path / "run").rows) == 4


@pytest.mark.parametrize(
    "settings, option",
    [
        ({"early_stopping": 2, "split": "3,0,1"}, "`early_stopping`"),
        ({"network": "unet", "augmentation": "cardiac"}, "`augmentation`"),
        (
            {**SLICES, "sampling": "uniform", "cases_per_batch": "1"},
            "`cases_per_batch`",
        ),
        ({"network": "unet", "tile_memory": "1MB"}, "`tile_memory`"),
    ],
    ids=["no validation", "volumes", "slices in turn", "memory"],
)
def test_what_cannot_be_used_leaves_no_run(
    tmp_path, ball_config, settings, option
):
    with pytest.raises(InputError) as error:
        fit(ball_config(**settings), tmp_path / "run")
    assert str(error.value).startswith(option)
    assert not (tmp_path / "run").exists()


def test_refitting_takes_the_validation_cases_and_the_last_weights(
    tmp_path, ball_config
):
    result = fit(ball_config(refit=True, epochs=2), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert len(folder.cases("train")) == 3
    assert folder.cases("validation") == []
    assert len(folder.cases("test")) == 1
    assert result.best_dice is None
    state = np.load(folder.state_file)
    model = keras.models.load_model(folder.model_file)
    kernel = model.weights[0].numpy()
    assert np.array_equal(kernel, state["variable/00000"])


def test_fine_tuning_starts_from_the_weights_of_a_run(
    tmp_path, ball_run, ball_config
):
    said = []
    config = ball_config(
        init_from=str(ball_run.path), epochs=1, learning_rate=1e-12
    )
    fit(config, tmp_path / "run", say=said.append)
    assert any(f"weights from {ball_run.path}" in line for line in said)
    models = [
        keras.models.load_model(path / "model.keras")
        for path in (ball_run.path, tmp_path / "run")
    ]
    for given, mine in zip(*(m.trainable_weights for m in models), strict=True):
        assert np.allclose(given.numpy(), mine.numpy(), atol=1e-6)


def test_fine_tuning_from_nothing_is_refused(tmp_path, ball_config):
    config = ball_config(init_from=str(tmp_path / "no.keras"))
    with pytest.raises(InputError, match="is no model"):
        fit(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["isample", "uniform"])
@pytest.mark.parametrize("network", ["unet", "unet3plus", "deeplab-v3"])
def test_2d_networks_train_on_slices(tmp_path, ball_config, network, sampling):
    config = ball_config(
        **{**SLICES, "network": network, "sampling": sampling},
        epochs=2,
        augmentation="cardiac",
        loss_schedule="wce:0, wdice:1",
        class_weights="effective-number",
        optimizer="adam",
        learning_rate=0.001,
    )
    result = fit(config, tmp_path / "run")
    assert len(result.rows) == 2
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.metadata["axis"] == 1
    has_error = result.rows[-1].get("mean_error") is not None
    assert has_error == (sampling == "isample")


@pytest.mark.slow
def test_3d_unets_train_on_patches(tmp_path, ball_config):
    config = ball_config(network="unet", width=0.1, patch_size=16, epochs=2)
    assert len(fit(config, tmp_path / "run").rows) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {**SLICES, "loss_schedule": "ce:0, ce-dice:1, dice:3"},
        {**SLICES, "sampling": "uniform", "early_stopping": 3},
        {"init_from": "the ball run"},
    ],
    ids=["scheduled", "slices in turn", "fine-tuning"],
)
def test_stopped_runs_go_on_to_the_same_end(
    tmp_path, ball_config, ball_run, settings, assert_same_end
):
    if "init_from" in settings:
        settings = {"init_from": str(ball_run.path)}
    config = ball_config(**settings, epochs=4, optimizer="adam")

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config, tmp_path / "stopped", callbacks=[Stop()])
    state = np.load(RunFolder(tmp_path / "stopped").state_file)
    assert len(json.loads(str(state["progress"]))["rows"]) == 2
    fit(config, tmp_path / "stopped", resume=True)
    fit(config, tmp_path / "whole")
    assert_same_end(tmp_path / "stopped", tmp_path / "whole")
