"""The papers' settings."""

import pytest

from keras_isample.config import PRESETS
from keras_isample.config import Config


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_whole(preset):
    Config.from_settings("scans", PRESETS[preset])


def test_presets_are_the_papers():
    kidneys = Config.from_settings("scans", PRESETS["kidneys-2017"])
    assert kidneys.data.labels == ("kidney",)
    assert kidneys.data.split == (16, 4, 0)
    assert kidneys.optimizer.learning_rate == 0.001
    assert kidneys.optimizer.warmup_epochs == 5
    assert kidneys.sampling.batch_size == 12
    assert kidneys.sampling.num_cases_per_batch == 1
    assert kidneys.sampling.epsilon == 0.01
    assert kidneys.training.steps_per_epoch == 100
    later = Config.from_settings("scans", PRESETS["kidneys-2018"])
    assert later.sampling.batch_size == 20
    organs = Config.from_settings("scans", PRESETS["organs-2017"])
    assert organs.optimizer.learning_rate == 0.05
    assert organs.sampling.batch_size == 24
    assert organs.sampling.num_cases_per_batch == 2
    assert organs.training.steps_per_epoch == 200
    autolr = Config.from_settings("scans", PRESETS["autolr-2018"])
    assert autolr.sampling.batch_size == 40
    assert autolr.sampling.num_cases_per_batch is None
    assert autolr.sampling.epsilon == 0
    assert autolr.optimizer.warmup_epochs == 10
    assert autolr.data.split == (14, 2, 4)


def test_organs_preset_halves_its_rate_every_25_epochs():
    organs = Config.from_settings("scans", PRESETS["organs-2017"]).optimizer
    assert organs.schedule == ("step", (25, 0.5))


def test_first_population_and_factors_are_the_papers():
    autolr = Config.from_settings("scans", PRESETS["autolr-2018"]).autolr
    assert autolr.population == (0.05, 0.01, 0.005)
    assert autolr.factors == (2, 1, 0.5)
    assert autolr.period == 50
