"""Networks: functions that return a `keras.Model`."""

from keras_isample.models.deeplab_v3 import deeplab_v3
from keras_isample.models.dual_path import dual_path_resnet
from keras_isample.models.dual_path import single_input
from keras_isample.models.dual_path_geometry import DualPathGeometry
from keras_isample.models.patch_geometry import PlainGeometry
from keras_isample.models.patch_geometry import SliceGeometry
from keras_isample.models.receptive_field import measure_receptive_field
from keras_isample.models.resnet18 import resnet18
from keras_isample.models.segmentation_model import SegmentationModel
from keras_isample.models.unet import unet
from keras_isample.models.unet3plus import unet3plus

__all__ = [
    "DualPathGeometry",
    "PlainGeometry",
    "SegmentationModel",
    "SliceGeometry",
    "deeplab_v3",
    "dual_path_resnet",
    "measure_receptive_field",
    "resnet18",
    "single_input",
    "unet",
    "unet3plus",
]
