"""The ways of making error maps, as a configuration asks for them.

Each function takes the `ISample`, the run's `Config` and a `Reporter`, and
returns an `ErrorMapsCallback`; see `registries.error_maps`.
"""

from keras_isample.callbacks.concurrent_error_maps import ConcurrentErrorMaps
from keras_isample.callbacks.error_map_update import ErrorMapUpdate
from keras_isample.callbacks.online_error_maps import OnlineErrorMaps
from keras_isample.registries import ERROR_MAPS
from keras_isample.training.gpus import spare_gpu


def error_maps_callback(config, sampler, reporter):
    """The callback that makes error maps as a configuration asks for.

    Args:
        config: The run's `Config`.
        sampler: The `ISample`.
        reporter: The `Reporter` that shows how far it is.

    Returns:
        An `ErrorMapsCallback`. Uniform sampling makes no maps, however they
        would be made.
    """
    way = config.sampling.error_map_way or ERROR_MAPS["epoch"]
    return way.make(sampler, config, reporter)


def epoch(sampler, config, reporter):
    """Whole scans, or blocks of them, after each epoch."""
    return ErrorMapUpdate(
        sampler,
        num_cases=config.sampling.num_error_map_cases,
        tile_memory=config.training.tile_bytes,
        remove_replaced=False,
        reporter=reporter,
    )


def online(sampler, config, reporter):
    """The errors of the training patches themselves."""
    return OnlineErrorMaps(sampler, remove_replaced=False)


def concurrent(sampler, config, reporter):
    """Whole scans, predicted by a process in the background."""
    return ConcurrentErrorMaps(
        sampler,
        gpu=spare_gpu(config.training.devices),
        tile_memory=config.training.tile_bytes,
        remove_replaced=False,
        reporter=reporter,
    )
