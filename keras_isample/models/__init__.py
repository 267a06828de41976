"""Networks: functions that return a `keras.Model`."""

from keras_isample.models.deeplab_v3 import deeplab_v3
from keras_isample.models.dual_path import dual_path_resnet
from keras_isample.models.dual_path import single_input
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.geometry import Geometry
from keras_isample.models.geometry import Grid
from keras_isample.models.geometry import PlainGeometry
from keras_isample.models.geometry import SliceGeometry
from keras_isample.models.receptive_field import measure_receptive_field
from keras_isample.models.resnet18 import resnet18
from keras_isample.models.segmentation_model import SegmentationModel
from keras_isample.models.segmentation_model import geometry_of
from keras_isample.models.unet import unet
from keras_isample.models.unet3plus import unet3plus
from keras_isample.models.with_geometry import with_geometry
from keras_isample.registries import register_network

__all__ = [
    "DualPathGeometry",
    "Geometry",
    "Grid",
    "PlainGeometry",
    "SegmentationModel",
    "SliceGeometry",
    "deeplab_v3",
    "dual_path_resnet",
    "geometry_of",
    "measure_receptive_field",
    "register_network",
    "resnet18",
    "single_input",
    "unet",
    "unet3plus",
    "with_geometry",
]
