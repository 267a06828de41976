"""What is known by name: one registry per kind, none of which needs Keras."""

from keras_isample.registries.augmentations import AUGMENTATIONS
from keras_isample.registries.augmentations import AugmentationSpec
from keras_isample.registries.augmentations import register_augmentation
from keras_isample.registries.error_maps import ERROR_MAPS
from keras_isample.registries.error_maps import ErrorMapsSpec
from keras_isample.registries.error_maps import register_error_maps
from keras_isample.registries.executors import EXECUTORS
from keras_isample.registries.executors import register_executor
from keras_isample.registries.layouts import LAYOUTS
from keras_isample.registries.layouts import LayoutSpec
from keras_isample.registries.layouts import register_layout
from keras_isample.registries.losses import LOSSES
from keras_isample.registries.losses import LossSpec
from keras_isample.registries.losses import register_loss
from keras_isample.registries.networks import NETWORKS
from keras_isample.registries.networks import NetworkSpec
from keras_isample.registries.networks import register_network
from keras_isample.registries.registry import Registry

__all__ = [
    "AUGMENTATIONS",
    "AugmentationSpec",
    "ERROR_MAPS",
    "EXECUTORS",
    "ErrorMapsSpec",
    "LAYOUTS",
    "LOSSES",
    "LayoutSpec",
    "LossSpec",
    "NETWORKS",
    "NetworkSpec",
    "Registry",
    "register_augmentation",
    "register_error_maps",
    "register_executor",
    "register_layout",
    "register_loss",
    "register_network",
]
