"""Scans as arrays with their place in the world; no Keras needed."""

from keras_isample.volumes.components import keep_largest_components
from keras_isample.volumes.overlap import dice_per_class
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.reading import read_volume
from keras_isample.volumes.resampling import resample_volume
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import from_canonical
from keras_isample.volumes.volume import to_canonical
from keras_isample.volumes.writing import write_volume

__all__ = [
    "Volume",
    "dice_per_class",
    "from_canonical",
    "keep_largest_components",
    "read_channels",
    "read_label_map",
    "read_volume",
    "resample_volume",
    "to_canonical",
    "write_volume",
]
