"""Settings of the sampling."""

import pytest

from keras_isample.config import Config


@pytest.mark.parametrize("way", ["online", "concurrent"])
def test_subsets_of_error_maps_are_those_of_updates(way, refusal):
    text = refusal(error_maps=way, error_map_cases="3")
    assert text.startswith("--error-map-cases: ")
    assert Config.from_settings("scans", {"error_maps": way})


def test_concurrent_maps_are_of_isample_alone():
    for sampling, there in (("isample", True), ("uniform", False)):
        settings = {"error_maps": "concurrent", "sampling": sampling}
        config = Config.from_settings("scans", settings)
        assert config.sampling.is_concurrent == there
