"""Errors of training scans from the current weights."""

from keras_isample.inference.predictor import predict_tiles
from keras_isample.inference.predictor import predictor_for
from keras_isample.sampling.error_maps import stored_errors


def predicted_errors(
    model, case, seed, boxes=None, *, tile_memory=None, progress=None
):
    """Errors of a scan, or of boxes of it, as they are stored.

    Args:
        model: A model that carries a geometry.
        case: The `PreparedCase`.
        seed: Tuple of integers that the rounding is drawn from.
        boxes: As of the `tiles` of a predictor.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, as `predictor_for` says.
        progress: Called with (voxels done, voxels in all) tile by tile.

    Yields:
        `(start, levels)`: first voxel of a tile and uint8 `(x, y, z)`.
    """
    predictor = predictor_for(model, tile_memory)
    tiles = predict_tiles(predictor, case.scan(), boxes, progress=progress)
    yield from stored_errors(case, tiles, seed)
