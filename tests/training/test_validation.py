"""Validation within a share, from the settings to the files of a run."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_isample.callbacks.validation_plan import ValidationPlan
from keras_isample.config import Config
from keras_isample.inference import predictor_for
from keras_isample.models.loading import load_model
from keras_isample.training import candidates
from keras_isample.training import recorder
from keras_isample.training import validation
from keras_isample.training.history import read_history
from keras_isample.training.run import fit
from keras_isample.training.run_data import read_run_data
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.trainer import Trainer
from keras_isample.training.validation import describe_validation
from keras_isample.training.validation import plan_validation

ESTIMATED = ValidationPlan(None, 100, 20, 4, 5, 2, 16)


class Killed(BaseException):
    """What the process would not survive."""


def settings(**given):
    """A `Config` in which maps have no share of the time."""
    common = {"epochs": 20, "error_map_share": "none"}
    return Config.from_settings("data", {**common, **given})


@pytest.mark.parametrize(
    ("plan", "given", "line"),
    [
        (
            ValidationPlan.fixed(1, 30),
            {},
            "validation: whole scans after every epoch, 6.0% of what training "
            "multiplies",
        ),
        (
            ValidationPlan.fixed(4, 500),
            {"validate_every": 4},
            "validation: whole scans every 4 epochs (`validate_every`), 25.0% "
            "of what training multiplies",
        ),
        (
            ValidationPlan.fixed(1, 5000),
            {"early_stopping": 2},
            "validation: whole scans after every epoch (`early_stopping`), "
            "1000.0% of what training multiplies",
        ),
        (
            ValidationPlan.fixed(1, 500),
            {"learning_rate": "auto"},
            "validation: whole scans after every epoch "
            "(`learning_rate='auto'`), 100.0% of what training multiplies",
        ),
        (
            ValidationPlan(None, 80, times=12, epochs=20),
            {},
            "validation: whole scans about every 1.7 epochs, 9.6% of what "
            "training multiplies",
        ),
        (
            ValidationPlan(None, 200, 30, 10, 20, 3, 32),
            {},
            "validation: an estimate every 2 epochs, whole scans at the end "
            "with the 3 best models, 9.0% of what training multiplies",
        ),
        (
            ValidationPlan(None, 9000, 5000, 1, 20, 0, 32),
            {},
            "validation: an estimate after the last epoch, 50.0% of what "
            "training multiplies, more than `validation_share` allows",
        ),
    ],
)
def test_what_validation_costs_is_said(plan, given, line):
    assert describe_validation(settings(**given), plan, 500) == line


class Trained:
    """A `Trainer` whose costs are known."""

    def __init__(self, monkeypatch, *, whole, estimate):
        self.data = SimpleNamespace(
            validation=SimpleNamespace(
                cases=["case"], scored_classes=[1], tile_memory=None
            ),
            train=SimpleNamespace(num_classes=2),
        )
        self.model = None
        monkeypatch.setattr(validation, "training_cost", lambda *_: 9000)
        monkeypatch.setattr(validation, "whole_cost", lambda _: whole)
        monkeypatch.setattr(
            validation,
            "cheapest",
            lambda *_: (estimate, SimpleNamespace(side=32)),
        )


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    folder.manifest_file.write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("given", "whole", "plan"),
    [
        # A tenth of all is a ninth of what training takes.
        ({}, 50, ValidationPlan.fixed(1, 50)),
        ({}, 100, ValidationPlan(None, 100, times=10, epochs=20)),
        ({}, 101, ValidationPlan(None, 101, 10, 20, 20, 3, 32)),
        ({"validate_every": 3}, 9000, ValidationPlan.fixed(3, 9000)),
        ({"validation_share": "none"}, 9000, ValidationPlan.fixed(1, 9000)),
        ({"early_stopping": 2}, 9000, ValidationPlan.fixed(1, 9000)),
        ({"learning_rate": "auto"}, 9000, ValidationPlan.fixed(1, 9000)),
        # A tenth beside a tenth of the maps is an eighth.
        (
            {"error_map_share": 0.1},
            112,
            ValidationPlan(None, 112, times=10, epochs=20),
        ),
        ({"validation_share": 0.5}, 450, ValidationPlan.fixed(1, 450)),
    ],
)
def test_the_share_decides_how_often(monkeypatch, folder, given, whole, plan):
    trainer = Trained(monkeypatch, whole=whole, estimate=10)
    # So few multiplications take no time: three whole ones are made anyway.
    assert plan_validation(settings(**given), folder, trainer) == plan


def test_the_plan_is_kept(monkeypatch, folder):
    trainer = Trained(monkeypatch, whole=101, estimate=10)
    plan = plan_validation(settings(), folder, trainer)
    dearer = Trained(monkeypatch, whole=4000, estimate=10)
    again = plan_validation(settings(epochs=40), folder, dearer)
    assert again == plan
    assert validation.planned_validation(folder) == plan


def test_without_a_structure_nothing_is_estimated(monkeypatch, folder):
    trainer = Trained(monkeypatch, whole=400, estimate=10)
    trainer.data.validation.scored_classes = []
    plan = plan_validation(settings(), folder, trainer)
    assert plan == ValidationPlan(None, 400, times=2, epochs=20)


@pytest.fixture(scope="module")
def fit_estimated(ball_config):
    """Function that trains, estimated after all epochs but the first."""
    config = ball_config(epochs=5, steps_per_epoch=2, validation_share=0.1)

    def train(path, **options):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(validation, "_new_plan", lambda *_: ESTIMATED)
            return fit(config, path, **options)

    return train


@pytest.fixture(scope="module")
def uninterrupted(fit_estimated, tmp_path_factory):
    """One of these runs, not to be changed."""
    return fit_estimated(tmp_path_factory.mktemp("estimated") / "run")


@pytest.mark.slow
def test_a_run_of_estimates_ends_with_whole_scans(uninterrupted):
    path, result = uninterrupted.path, uninterrupted
    folder = RunFolder(path)
    rows = read_history(folder.history_file)
    estimates = [row["val_dice_estimated"] for row in rows]
    assert [value is not None for value in estimates] == [
        False,
        True,
        True,
        True,
        True,
    ]
    best = sorted(range(1, 5), key=lambda i: -estimates[i])[:2]
    scores = [row["val_dice"] for row in rows]
    assert {i for i, v in enumerate(scores) if v is not None} == set(best)
    assert result.best_dice == max(scores[i] for i in best)
    manifest = folder.manifest()
    assert manifest["best_val_dice"] == result.best_dice
    assert manifest["best_val_dice_estimated"] == max(estimates[1:])
    # The model is that of the best epoch.
    chosen = 1 + max(best, key=lambda i: scores[i])
    weights = load_model(folder.candidate(chosen)).get_weights()
    for one, two in zip(load_model(path).get_weights(), weights, strict=True):
        assert np.array_equal(one, two)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (recorder, "save_state", 3),
        (recorder, "write_history", 5),
        (candidates, "replace_progress", 2),
        (candidates, "write_history", 1),
        (candidates, "shutil", None),
    ],
)
def test_a_run_of_estimates_goes_on_to_the_same_end(
    tmp_path,
    monkeypatch,
    fit_estimated,
    uninterrupted,
    assert_same_end,
    owner,
    name,
    call,
):
    calls = []

    def dying(*args, **options):
        calls.append(1)
        if call is None or len(calls) == call:
            raise Killed
        return original(*args, **options)

    with monkeypatch.context() as patched:
        original = getattr(owner, name)
        killed = SimpleNamespace(copyfile=dying) if call is None else dying
        patched.setattr(owner, name, killed)
        with pytest.raises(Killed):
            fit_estimated(tmp_path / "run")
    said = []
    again = fit_estimated(tmp_path / "run", resume=True, say=said.append)
    assert any(line.startswith("validation: an estimate") for line in said)
    assert again.best_dice == uninterrupted.best_dice
    assert_same_end(tmp_path / "run", uninterrupted.path)


def test_whole_scans_cost_what_their_tiles_do(ball_config, folder):
    """Every epoch, as without a share, where it allows that."""
    config = ball_config(
        validation_share=0.99, error_map_share="none", epochs=1
    )
    data = read_run_data(config).prepare()
    trainer = Trainer(config, data)
    plan = plan_validation(config, folder, trainer)
    (case,) = data.validation.cases
    predictor = predictor_for(trainer.model)
    whole = predictor.multiplications(case.scan())
    assert plan == ValidationPlan.fixed(1, whole)
    assert folder.manifest()["validation"]["whole"] == whole


@pytest.mark.slow
def test_where_the_share_allows_every_epoch_nothing_changes(
    tmp_path, ball_config, assert_same_end
):
    for name, share in (("bound", 0.9), ("free", "none")):
        config = ball_config(
            validation_share=share,
            error_map_share="none",
            epochs=2,
            steps_per_epoch=2,
        )
        fit(config, tmp_path / name)
    assert_same_end(tmp_path / "bound", tmp_path / "free")
    rows = read_history(tmp_path / "bound" / "history.csv")
    assert all(row["val_dice"] is not None for row in rows)
