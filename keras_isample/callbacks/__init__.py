"""What happens between the steps and epochs of `fit`."""

from keras_isample.callbacks.averaged_weights import AveragedWeights
from keras_isample.callbacks.concurrent_error_maps import ConcurrentErrorMaps
from keras_isample.callbacks.divergence_check import Diverged
from keras_isample.callbacks.divergence_check import DivergenceCheck
from keras_isample.callbacks.error_map_update import ErrorMapUpdate
from keras_isample.callbacks.error_maps_callback import ErrorMapsCallback
from keras_isample.callbacks.learning_rate_warmup import LearningRateWarmup
from keras_isample.callbacks.loss_schedule import LossSchedule
from keras_isample.callbacks.model_snapshots import ModelSnapshots
from keras_isample.callbacks.normalization_update import NormalizationUpdate
from keras_isample.callbacks.online_error_maps import OnlineErrorMaps
from keras_isample.callbacks.order import Stage
from keras_isample.callbacks.order import ordered
from keras_isample.callbacks.volume_dice import VolumeDice
from keras_isample.registries import register_error_maps

__all__ = [
    "AveragedWeights",
    "ConcurrentErrorMaps",
    "Diverged",
    "DivergenceCheck",
    "ErrorMapUpdate",
    "ErrorMapsCallback",
    "LearningRateWarmup",
    "LossSchedule",
    "ModelSnapshots",
    "NormalizationUpdate",
    "OnlineErrorMaps",
    "Stage",
    "VolumeDice",
    "ordered",
    "register_error_maps",
]
