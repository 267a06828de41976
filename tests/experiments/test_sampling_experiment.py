"""Arms of the sampling experiment, and its report from runs made by hand."""

import pytest

from keras_isample.errors import InputError
from keras_isample.experiments import SamplingExperiment
from keras_isample.experiments import parse_epsilons
from keras_isample.experiments import parse_shares


def test_epsilons():
    assert parse_epsilons("") == []
    assert parse_epsilons("0, 0.1,1") == [0.0, 0.1, 1.0]


@pytest.mark.parametrize("text", ["a", "-0.1", "2", "nan"])
def test_wrong_epsilons_are_refused(text):
    with pytest.raises(InputError, match="`epsilons`"):
        parse_epsilons(text)


def make(tmp_path, ball_data, ball_settings, **options):
    return SamplingExperiment(tmp_path, ball_data, ball_settings, **options)


def test_arms(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "epsilon": 0.05}
    experiment = SamplingExperiment(
        tmp_path, ball_data, settings, seeds=3, epsilons=[1, 0.05, 0]
    )
    names = [arm.name for arm in experiment.comparison.arms]
    assert names == [
        "isample-epsilon0.05",
        "uniform",
        "isample-epsilon0",
        "isample-epsilon1",
    ]
    seeds = [arm.seeds for arm in experiment.comparison.arms]
    assert seeds == [(0, 1, 2), (0, 1, 2), (0,), (0,)]


def test_other_ways_to_make_error_maps_are_arms(
    tmp_path, ball_data, ball_settings
):
    ways = ["online", "concurrent"]
    settings = {**ball_settings, "error_map_cases": "2"}
    experiment = make(tmp_path, ball_data, settings, error_maps=ways)
    for arm, way in zip(experiment.comparison.arms[-2:], ways, strict=True):
        assert arm.name == f"isample-{way}"
        # Refused if it chose the scans of an update.
        config = experiment.comparison.config(arm, 0)
        assert config.sampling.error_maps == way
        assert arm.settings["error_maps"] == way
        assert arm.settings["epsilon"] == 0.01
    said = []
    experiment.run(say=said.append, train=False)
    assert any("## Ways to make error maps" in text for text in said)


def test_shares_of_error_maps_are_arms(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "error_map_cases": "2", "sample_from": "all"}
    experiment = make(
        tmp_path, ball_data, settings, error_map_shares=[0.15, 0.02]
    )
    small, large = experiment.comparison.arms[-2:]
    assert [small.name, large.name] == [
        "isample-share0.02",
        "isample-share0.15",
    ]
    sampling = experiment.comparison.config(small, 0).sampling
    assert sampling.map_share == 0.02
    assert sampling.num_error_map_cases is None
    assert sampling.sample_from == "auto"


@pytest.mark.parametrize("text", ["2", "-0.1", "a"])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="`error_map_shares`"):
        parse_shares(text)


def test_an_arm_half_as_long(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "epochs": 12, "lr_schedule": "step:4:0.3"}
    experiment = make(tmp_path, ball_data, settings, seeds=2, half=True)
    comparison, half = experiment.comparison, experiment.comparison.arms[-1]
    assert (half.name, half.seeds) == ("isample-epsilon0.01-half", (0, 1))
    shorter = comparison.config(half, 1).settings()
    whole = comparison.config(experiment.isample, 1).settings()
    differing = {k: v for k, v in shorter.items() if v != whole[k]}
    assert differing == {"epochs": 6, "lr_schedule": ("step", 2, 0.3)}
    assert comparison.num_steps == 12 * ball_settings["steps_per_epoch"]
    said = []
    experiment.run(say=said.append, train=False)
    assert any("## Planned for half the steps" in text for text in said)


@pytest.mark.parametrize("number", [0, 4])
def test_more_seeds_of_epsilons_than_of_the_rest_are_refused(
    tmp_path, ball_data, ball_settings, number
):
    with pytest.raises(InputError, match="`epsilon_seeds`"):
        make(tmp_path, ball_data, ball_settings, seeds=3, epsilon_seeds=number)


def test_report_without_any_run(tmp_path, ball_data, ball_settings):
    said = []
    make(tmp_path, ball_data, ball_settings, epsilons=[0]).run(
        say=said.append, train=False
    )
    assert said[-1] == str(tmp_path / "report.md")
    assert "| uniform-seed0 | - | not finished | - |" in said[3]
    assert (tmp_path / "curves.csv").read_text() == "sampling,step\n"
    assert not (tmp_path / "error_maps.png").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": "auto", "period": 1},
        {"lr_schedule": "replay:autolr.json"},
        {"learning_rate": 0.02},
    ],
)
def test_rates_that_change_nothing_are_refused(
    tmp_path, ball_data, ball_settings, settings
):
    settings = {**ball_settings, **settings}
    with pytest.raises(InputError, match="`learning_rates`"):
        make(tmp_path, ball_data, settings, learning_rates=[0.02])


def test_both_samplings_at_more_rates(tmp_path, ball_data, ball_settings):
    settings = {**ball_settings, "learning_rate": 0.003}
    experiment = make(
        tmp_path,
        ball_data,
        settings,
        seeds=2,
        learning_rates=[0.012, 0.003, 0.006],
    )
    comparison = experiment.comparison
    assert [arm.name for arm in comparison.arms] == [
        "isample-epsilon0.01",
        "uniform",
        "isample-epsilon0.01-rate0.006",
        "uniform-rate0.006",
        "isample-epsilon0.01-rate0.012",
        "uniform-rate0.012",
    ]
    likes = comparison.arms[:2] * 2
    for arm, like in zip(comparison.arms[2:], likes, strict=True):
        assert arm.seeds == (0, 1)
        own = comparison.config(arm, 1).settings()
        other = comparison.config(like, 1).settings()
        differing = [key for key in own if own[key] != other[key]]
        assert differing == ["learning_rate"]
    said = []
    experiment.run(say=said.append, train=False)
    assert any("## Learning rates" in text for text in said)
