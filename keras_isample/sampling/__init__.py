"""Algorithm 1 of the isample papers, as `tf.data`."""

from keras_isample.registries import register_augmentation
from keras_isample.sampling.error_maps import ErrorMaps
from keras_isample.sampling.isample import ISample

__all__ = ["ErrorMaps", "ISample", "register_augmentation"]
