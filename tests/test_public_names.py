"""`__all__` of every package is what can be had from it, and no more."""

import importlib
import pkgutil
import types

import pytest

import keras_isample

PACKAGES = ["keras_isample"] + [
    f"keras_isample.{module.name}"
    for module in pkgutil.iter_modules(keras_isample.__path__)
    if module.ispkg and module.name != "commands"
]

# Names that programs use, from the page on what a user may rely on.
PROMISED = """
    data.read_cohort sampling.ISample sampling.ErrorMaps
    models.deeplab_v3 models.dual_path_resnet models.resnet18
    models.unet models.unet3plus losses.CrossEntropy losses.Dice losses.Focal
    losses.DiceFocal losses.CEDice losses.ScheduledLoss
    losses.median_frequency_weights losses.effective_number_weights
    callbacks.LossSchedule training.AutoLR training.fit
    callbacks.ErrorMapUpdate callbacks.LearningRateWarmup callbacks.VolumeDice
    inference.predict_volume volumes.read_volume volumes.write_volume
    volumes.resample_volume volumes.keep_largest_components
    metrics.evaluate_labels training.fit training.sgd
"""


def public_names(package):
    """Names without an underscore that are no modules of the package's own.

    Importing `keras_isample.data.cohort` puts `cohort` into
    `keras_isample.data`; that is Python's doing.
    """
    return {
        name
        for name, value in vars(package).items()
        if not name.startswith("_")
        and not (
            isinstance(value, types.ModuleType)
            and value.__name__ == f"{package.__name__}.{name}"
        )
    }


@pytest.mark.parametrize("name", PACKAGES[1:])
def test_all_is_what_a_package_has(name):
    package = importlib.import_module(name)
    assert public_names(package) == set(package.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_can_be_imported(name):
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(package.__all__)
    for public in package.__all__:
        assert getattr(package, public) is not None


def test_top_level_has_the_packages_and_one_error():
    assert public_names(keras_isample) <= set(keras_isample.__all__)
    packages = {name.rpartition(".")[2] for name in PACKAGES[1:]} - {"cli"}
    assert set(keras_isample.__all__) == packages | {
        "InputError",
        "__version__",
    }


@pytest.mark.parametrize("name", PROMISED.split())
def test_promised_names_are_there(name):
    package, public = name.split(".")
    assert public in getattr(keras_isample, package).__all__
    assert callable(getattr(getattr(keras_isample, package), public))


def test_leaked_module_would_be_seen():
    package = types.ModuleType("package")
    package.np = importlib.import_module("numpy")
    assert public_names(package) == {"np"}
