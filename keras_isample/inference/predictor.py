"""The predictor that fits a model, made once per model."""

import weakref

from keras_isample.inference.dual_path import DEFAULT_TILE_MEMORY
from keras_isample.inference.dual_path import DualPathPredictor

_predictors = weakref.WeakKeyDictionary()


def predictor_for(model, tile_memory=DEFAULT_TILE_MEMORY):
    """An object whose `tiles(scan)` predicts whole scans with `model`.

    Compiling takes seconds, so it is kept as long as the model lives.

    Args:
        model: A model of this package.
        tile_memory: About how many bytes the maps of one tile may take.

    Raises:
        ValueError: If the model is not one that this package can tile.
    """
    network = (getattr(model, "metadata", None) or {}).get("network")
    if network != "dual-path":
        raise ValueError(
            "Argument `model` must be built by `keras_isample.models`. "
            f"Received: {model!r} of network {network!r}."
        )
    known = _predictors.setdefault(model, {})
    if tile_memory not in known:
        known[tile_memory] = DualPathPredictor(model, tile_memory)
    return known[tile_memory]
