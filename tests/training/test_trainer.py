"""What the settings choose."""

import numpy as np
import pytest

from keras_isample.callbacks import ConcurrentErrorMaps
from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks import OnlineErrorMaps
from keras_isample.progress import SILENT
from keras_isample.sampling import ISample
from keras_isample.training.error_map_ways import error_maps_callback


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        ("epoch", ErrorMapUpdate),
        ("online", OnlineErrorMaps),
        ("concurrent", ConcurrentErrorMaps),
    ],
)
def test_error_maps_are_made_in_the_chosen_way(
    make_case, ball_config, way, kind, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    cases = [make_case(np.zeros((4, 4, 4)), num_classes=2)]
    config = ball_config(error_maps=way, tile_memory="500MB")
    callback = error_maps_callback(config, ISample(cases, batch_size=2), SILENT)
    assert type(callback) is kind
    assert not callback.remove_replaced
    if way == "concurrent":
        assert callback.gpu == "1"
        assert callback.tile_memory == 500 * 10**6


@pytest.mark.parametrize("way", ["online", "concurrent"])
def test_uniform_sampling_makes_no_maps(make_case, ball_config, way):
    cases = [make_case(np.zeros((4, 4, 4)), num_classes=2)]
    config = ball_config(error_maps=way, sampling="uniform")
    sampler = ISample(cases, batch_size=2, sampling="uniform")
    assert type(error_maps_callback(config, sampler, SILENT)) is ErrorMapUpdate
