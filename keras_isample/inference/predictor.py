"""The predictor that fits a model, made once per model."""

import weakref

import keras

from keras_isample.inference.dual_path import DualPathPredictor
from keras_isample.inference.plain import PlainPredictor
from keras_isample.inference.several_devices import SharingPredictor
from keras_isample.inference.slices import SlicePredictor
from keras_isample.inference.tile_memory import scan_tile_memory
from keras_isample.inference.tiling import told
from keras_isample.inference.windows import WindowPredictor
from keras_isample.models.segmentation_model import geometry_of

_predictors = weakref.WeakKeyDictionary()

_devices = weakref.WeakKeyDictionary()


def predictor_for(model, tile_memory=None):
    """An object whose `tiles(scan)` predicts whole scans with `model`.

    Compiling takes seconds, so it is kept as long as the model lives. Several
    devices share the tiles: those of `share_among`, else all visible GPUs, on
    TensorFlow.

    Args:
        model: A model that carries a geometry.
        tile_memory: About how many bytes the maps of one tile may take; if
            `None`, 8 GiB for 3D U-Nets, or 60 % of the machine's memory if
            that is less, and 1 GiB for the others.

    Raises:
        ValueError: If the model is not one that this package can tile.
    """
    kind = _kind_of(model)
    devices = _devices.get(model)
    devices = _visible_gpus() if devices is None else devices
    known = _predictors.setdefault(model, {})
    if (tile_memory, devices) not in known:
        given = () if tile_memory is None else (tile_memory,)
        known[tile_memory, devices] = (
            SharingPredictor(lambda: kind(model, *given), devices)
            if devices
            else kind(model, *given)
        )
    return known[tile_memory, devices]


def tile_memory_of_scan(model):
    """Tile memory with which one scan is predicted soonest on this machine.

    In training the dual-path network has the tiles of `predictor_for`: what is
    counted there must not depend on the machine, and several processes may
    predict at the same time.

    Args:
        model: A model that carries a geometry.

    Returns:
        Bytes; `None` where `predictor_for` chooses no less.
    """
    return scan_tile_memory() if _kind_of(model) is DualPathPredictor else None


def share_among(model, devices):
    """Names the devices that predict whole scans with a model from now on.

    Args:
        model: A model that carries a geometry.
        devices: Names such as `"gpu:1"`, of TensorFlow; the one that Keras
            uses if there are none.
    """
    _devices[model] = tuple(devices)


def predict_tiles(predictor, scan, boxes=None, *, progress=None):
    """Predicts a scan, or boxes of it, and tells how far that is.

    Args:
        predictor: What `predictor_for` returned.
        scan: A `Scan`.
        boxes: As of the `tiles` of a predictor.
        progress: Called with (voxels done, voxels in all) for each tile,
            window or batch of slices that has been predicted.

    Yields:
        What the `tiles` of the predictor do.
    """
    pieces = told(
        predictor.pieces(scan, boxes),
        predictor.num_voxels(scan, boxes),
        progress,
    )
    yield from predictor.joined(scan, boxes, pieces)


def check_scan(model, shape, tile_memory=None):
    """Refuses a scan that cannot be predicted within `tile_memory`.

    Args:
        model: A model that carries a geometry.
        shape: Voxels along the three axes.
        tile_memory: As of `predictor_for`.

    Raises:
        TileMemoryError: If not even the smallest tile is allowed.
    """
    if _kind_of(model) is not PlainPredictor and tile_memory is None:
        # What is allowed by default suffices, whatever the scan.
        return
    predictor_for(model, tile_memory).check(shape)


def _kind_of(model):
    """Class of the predictor that fits a model."""
    geometry = geometry_of(model)
    if geometry.context_width is not None:
        return DualPathPredictor
    if geometry.windows:
        return WindowPredictor
    return PlainPredictor if geometry.axis is None else SlicePredictor


def _visible_gpus():
    """Names of the GPUs if there are several, else none."""
    if keras.backend.backend() != "tensorflow":
        return ()
    import tensorflow as tf

    count = len(tf.config.list_logical_devices("GPU"))
    return tuple(f"gpu:{i}" for i in range(count)) if count > 1 else ()
