"""What is known by name: one registry per kind, none of which needs Keras."""

from keras_isample.registries.losses import LOSSES
from keras_isample.registries.losses import LossSpec
from keras_isample.registries.losses import register_loss
from keras_isample.registries.networks import NETWORKS
from keras_isample.registries.networks import NetworkSpec
from keras_isample.registries.networks import register_network
from keras_isample.registries.registry import Registry

__all__ = [
    "LOSSES",
    "LossSpec",
    "NETWORKS",
    "NetworkSpec",
    "Registry",
    "register_loss",
    "register_network",
]
