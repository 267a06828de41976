"""Label maps of whole scans, on the grid of the input."""

from collections.abc import Sequence

import numpy as np

from keras_isample.data.preprocessing import Preprocessing
from keras_isample.inference.input_grid import InputGrid
from keras_isample.inference.predictor import predict_tiles
from keras_isample.inference.predictor import predictor_for
from keras_isample.inference.predictor import tile_memory_of_scan
from keras_isample.models.segmentation_model import geometry_of
from keras_isample.volumes.scan import store_channels
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import from_canonical
from keras_isample.volumes.volume import to_canonical


def predict_volume(
    model,
    volume,
    *,
    tile_memory=None,
    return_probabilities=False,
    progress=None,
):
    """Segments one scan.

    The scan is brought to closest-canonical RAS+ and to the training spacing;
    class probabilities are predicted tile by tile, equal to one pass (or in
    overlapping windows, if the model's geometry states no halo), and
    interpolated back to the grid of the input, where the largest wins.

    Args:
        model: A model that carries a geometry; its metadata tells spacing and
            intensity (the papers' CT settings if it has none).
        volume: A `Volume`, or one per input channel on the same grid.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, a quarter of the machine's memory for the dual-path
            network, between 1 GiB and 3 GB, and as `predictor_for` says for
            the others.
        return_probabilities: Whether probabilities are returned too.
        progress: Called with (voxels done, voxels in all) of the scan at the
            training spacing, tile by tile.

    Returns:
        `Volume` of uint8 classes on the input's grid; with
        `return_probabilities` the pair of it and a `Volume` of uint8
        `(x, y, z, classes)`, 255 meaning 1, mapped to a temporary file.

    Raises:
        ValueError: If the number of channels is not the model's, `volume` is
            no `Volume`, or the model carries no geometry.
    """
    volumes = volume if isinstance(volume, Sequence) else [volume]
    if not volumes or not all(isinstance(v, Volume) for v in volumes):
        raise ValueError(
            "Argument `volume` must be a `Volume`, such as `read_volume` "
            "returns or `Volume(array, affine)`, or a list of them. "
            f"Received: {type(volume).__name__}."
        )
    geometry_of(model)
    facts = Preprocessing.from_metadata(model.metadata)
    affine = volumes[0].affine
    canonical = [to_canonical(v) for v in volumes]
    scan = store_channels(canonical, facts.spacing, facts.intensity)
    shape, spacing = canonical[0].shape, canonical[0].spacing
    # The place of the input without its voxels, which are not needed again.
    like = Volume(np.broadcast_to(np.uint8(0), volumes[0].shape), affine)
    del canonical, volumes, volume
    if tile_memory is None:
        tile_memory = tile_memory_of_scan(model)
    predictor = predictor_for(model, tile_memory)
    grid = InputGrid(
        scan.shape,
        facts.spacing or spacing,
        shape,
        spacing,
        predictor.num_classes,
        keep_probabilities=return_probabilities,
    )
    tiles = predict_tiles(predictor, scan, progress=progress)
    for start, probabilities in tiles:
        grid.add(start, probabilities)
    labels = _restore(grid.finish(), like)
    if return_probabilities:
        chances = from_canonical(grid.probabilities, like)
        return labels, Volume(chances, like.affine)
    return labels


def predict_label_map(model, scan, *, tile_memory=None, progress=None):
    """Classes of a `Scan` on its own grid, uint8, without any resampling.

    Args:
        model: A model that carries a geometry.
        scan: A `Scan`.
        tile_memory: As of `predictor_for`.
        progress: Called with (voxels done, voxels in all) tile by tile.
    """
    predictor = predictor_for(model, tile_memory)
    same = scan.shape, (1.0, 1.0, 1.0)
    grid = InputGrid(*same, *same, predictor.num_classes)
    tiles = predict_tiles(predictor, scan, progress=progress)
    for start, probabilities in tiles:
        grid.add(start, probabilities)
    return grid.finish()


def _restore(array, like):
    array = np.ascontiguousarray(from_canonical(array, like))
    return Volume(array, like.affine)
