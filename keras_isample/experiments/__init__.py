"""The same network trained in several ways, over several seeds, compared."""

from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.experiment import Experiment
from keras_isample.experiments.fine_tuning_experiment import (
    FineTuningExperiment,
)
from keras_isample.experiments.learning_rates import parse_rates
from keras_isample.experiments.rate_experiment import RateExperiment
from keras_isample.experiments.sampling_experiment import SamplingExperiment
from keras_isample.experiments.sampling_experiment import parse_epsilons
from keras_isample.experiments.sampling_experiment import parse_shares
from keras_isample.experiments.settings_experiment import Group
from keras_isample.experiments.settings_experiment import SettingsExperiment

__all__ = [
    "Arm",
    "Comparison",
    "Experiment",
    "FineTuningExperiment",
    "Group",
    "RateExperiment",
    "SamplingExperiment",
    "SettingsExperiment",
    "parse_epsilons",
    "parse_rates",
    "parse_shares",
]
