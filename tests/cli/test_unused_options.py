"""Options that would have no effect."""

import pytest

from keras_isample.cli.run_settings import new_config
from keras_isample.progress import SILENT


@pytest.mark.parametrize(
    ("options", "because"),
    [
        (["--save-error-maps", "--sampling", "uniform"], "--sampling uniform"),
        (["--epsilon", 0.1, "--sampling", "uniform"], "--sampling uniform"),
        (["--epsilon", 0, "--sampling", "uniform"], "--sampling uniform"),
        (["--redraw", "center", "--sampling", "uniform"], "--sampling uniform"),
        (
            ["--error-map-share", 0.2, "--sampling", "uniform"],
            "--sampling uniform",
        ),
        (
            ["--error-map-share", 0.2, "--error-maps", "online"],
            "--error-maps online",
        ),
        (
            ["--error-map-share", 0.2, "--error-maps", "concurrent"],
            "--error-maps concurrent",
        ),
        (["--augmentation", "cardiac", "--no-augment"], "--no-augment"),
        (["--loss", "dice", "--loss-schedule", "ce->dice"], "--loss-schedule"),
        (["--loss-transition", "step"], "without a --loss-schedule"),
        (["--validate-every", 2, "--refit"], "--refit"),
        (["--early-stopping", 2, "--validate-every", 51], "--validate-every"),
        (["--validation-share", 0.2, "--refit"], "--refit"),
        (
            ["--validation-share", 0.2, "--validate-every", 2],
            "--validate-every",
        ),
        (
            ["--validation-share", 0.2, "--early-stopping", 2],
            "--early-stopping",
        ),
        (
            ["--validation-share", 0.2, "--learning-rate", "auto"],
            "--learning-rate auto",
        ),
        (["--period", 5], "without --learning-rate auto"),
    ],
)
def test_options_without_effect_are_refused(
    ball_data, options, because, refusal
):
    text = refusal("fit", "--data", ball_data, *options, "--network", "unet")
    assert text.startswith(f"{options[0]}: has no effect ")
    assert because in text


def test_options_without_effect_are_refused_when_a_run_goes_on(
    ball_run, refusal
):
    options = ["--run", ball_run.path, "--executor", "process"]
    text = refusal("fit", "--resume", *options)
    assert text.startswith("--executor: has no effect without --learning-rate")


def test_settings_of_a_file_may_be_without_effect(tmp_path, ball_data):
    file = tmp_path / "a.toml"
    file.write_text("epsilon = 0.1\nperiod = 5\n")
    chosen = {"sampling": "uniform", "save_error_maps": False}
    config = new_config(file, None, ball_data, chosen, SILENT)
    assert config.sampling.epsilon == 0.1
