"""`__all__` of every package is what can be had from it, and no more."""

import importlib
import pkgutil
import subprocess
import sys
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
    load_model data.read_cohort sampling.ISample sampling.ErrorMaps
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


def test_top_level_has_the_packages_one_error_and_one_function():
    assert public_names(keras_isample) <= set(keras_isample.__all__)
    assert set(keras_isample.__all__) <= set(dir(keras_isample))
    packages = {name.rpartition(".")[2] for name in PACKAGES[1:]} - {"cli"}
    assert set(keras_isample.__all__) == packages | {
        "InputError",
        "__version__",
        "load_model",
    }


def test_nothing_is_imported_before_it_is_used():
    program = (
        "import sys, keras_isample as ki\n"
        "before = set(sys.modules)\n"
        "ki.volumes\n"
        "print(*before)\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    heavy = {"keras", "tensorflow", "numpy", "scipy", "nibabel"}
    own = {name for name in before if name.startswith("keras_isample.")}
    assert heavy.isdisjoint(before)
    assert {name.partition(".")[2] for name in own} == {
        "errors",
        "processor",
        "version",
    }
    assert "keras_isample.volumes" in after
    assert {"keras", "tensorflow", "keras_isample.models"}.isdisjoint(after)


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        keras_isample.nonsense  # noqa: B018


@pytest.mark.parametrize("name", PROMISED.split())
def test_promised_names_are_there(name):
    package, _, public = f"keras_isample.{name}".rpartition(".")
    package = importlib.import_module(package)
    assert public in package.__all__
    assert callable(getattr(package, public))


def test_leaked_module_would_be_seen():
    package = types.ModuleType("package")
    package.np = importlib.import_module("numpy")
    assert public_names(package) == {"np"}
