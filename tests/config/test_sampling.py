"""Settings of the sampling."""

import pytest

from keras_isample.config import Config


def test_concurrent_maps_are_of_isample_alone():
    for sampling, there in (("isample", True), ("uniform", False)):
        settings = {"error_maps": "concurrent", "sampling": sampling}
        config = Config.from_settings("scans", settings)
        assert (config.sampling.error_map_way is not None) == there


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_shares_lie_between_0_and_1(share, refusal):
    assert refusal(error_map_share=share).startswith("`error_map_share`")


@pytest.mark.parametrize(
    "settings",
    [
        {"error_map_share": "none"},
        {"sampling": "uniform"},
        {"error_maps": "online"},
        {"error_maps": "concurrent"},
    ],
)
def test_what_predicts_nothing_within_a_share_has_none(settings):
    config = Config.from_settings("scans", settings)
    assert config.sampling.map_share is None
    assert Config.from_settings("scans", {}).sampling.map_share == 0.15
