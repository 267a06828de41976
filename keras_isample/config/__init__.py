"""Every setting of a run, its checks and its files."""

from keras_isample.config.autolr import AutoLRConfig
from keras_isample.config.config import FIELDS
from keras_isample.config.config import GROUPS
from keras_isample.config.config import Config
from keras_isample.config.data import DataConfig
from keras_isample.config.files import read_settings
from keras_isample.config.loss import LossConfig
from keras_isample.config.network import NetworkConfig
from keras_isample.config.optimizer import OptimizerConfig
from keras_isample.config.presets import PRESETS
from keras_isample.config.sampling import SamplingConfig
from keras_isample.config.training import TrainingConfig

__all__ = [
    "AutoLRConfig",
    "Config",
    "DataConfig",
    "FIELDS",
    "GROUPS",
    "LossConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "PRESETS",
    "SamplingConfig",
    "TrainingConfig",
    "read_settings",
]
