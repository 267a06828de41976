"""Models from files: of this package, of strangers, with Lambda layers."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import keras_isample as ki
from keras_isample.errors import InputError
from keras_isample.models.loading import load_keras_file
from keras_isample.models.resnet18 import resnet18

FRESH = """
import sys
{imports}
import numpy as np

model = {load}(sys.argv[1])
image = np.linspace(-1, 1, 2 * 8 * 8).reshape(2, 8, 8, 1)
np.save(sys.argv[2], model.predict_on_batch(image.astype(np.float32)))
print(model.compiled, type(model.loss).__name__, model.metadata["multiple"])
"""
"""Program that loads a model and predicts."""


@pytest.fixture
def compiled_unet(tmp_path):
    """A compiled 2D U-Net of random weights, and its file."""
    keras.utils.set_random_seed(0)
    model = ki.models.unet(3, input_shape=(8, 8, 1), filters=(2, 3))
    loss = ki.losses.ScheduledLoss(
        [ki.losses.CrossEntropy(), ki.losses.DiceFocal()], [0, 3]
    )
    metrics = [ki.metrics.MeanLoss(loss)]
    model.compile(optimizer=ki.training.sgd(0.1), loss=loss, metrics=metrics)
    path = tmp_path / "model.keras"
    model.save(path)
    return model, path


@pytest.mark.parametrize(
    "imports, load",
    [
        ("import keras_isample as ki", "ki.load_model"),
        (
            "import keras_isample.models\nimport keras",
            "keras.models.load_model",
        ),
    ],
)
def test_a_fresh_process_loads_and_predicts(
    tmp_path, compiled_unet, imports, load
):
    model, path = compiled_unet
    program = FRESH.format(imports=imports, load=load)
    done = subprocess.run(
        [sys.executable, "-c", program, path, tmp_path / "predicted.npy"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    words = done.stdout.split()
    assert words == ["True", "ScheduledLoss", str(model.metadata["multiple"])]
    image = np.linspace(-1, 1, 2 * 8 * 8).reshape(2, 8, 8, 1)
    expected = model.predict_on_batch(image.astype(np.float32))
    predicted = np.load(tmp_path / "predicted.npy")
    assert predicted == pytest.approx(expected, abs=1e-6)


def test_the_model_of_a_run_folder_is_loaded(tmp_path, compiled_unet):
    model, _ = compiled_unet
    loaded = ki.load_model(tmp_path, compile=False)
    assert not loaded.compiled
    assert loaded.metadata == model.metadata


CLASSES = """
import importlib, pkgutil
import keras
import keras_isample.models
from keras_isample.models.loading import register_classes

def ours():
    names = keras.saving.get_custom_objects()
    return {name for name in names if name.startswith("keras_isample>")}

register_classes()
known = ours()
for module in pkgutil.walk_packages(
    keras_isample.__path__, "keras_isample."
):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(len(known), *sorted(ours() - known))
"""


def test_every_class_that_is_saved_is_registered():
    done = subprocess.run(
        [sys.executable, "-c", CLASSES],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, *unknown = done.stdout.split()
    assert int(count) > 20
    assert unknown == []


# Lambda layers.


def save_lambda(path, layer=None, *, nested=False):
    """Saves a model with a Lambda layer, which may lie in a submodel."""
    x = keras.Input((2,))
    layer = layer or layers.Lambda(lambda x: 2 * x, name="twice")
    model = keras.Model(x, layer(x), name="inner")
    if nested:
        y = keras.Input((2,))
        model = keras.Model(y, keras.Sequential([model])(y))
    model.save(path)
    return path


@pytest.fixture
def nothing_runs(monkeypatch):
    """Keras must not be asked to load anything."""

    def load(*args, **kwargs):
        raise AssertionError("The file was loaded.")

    monkeypatch.setattr(keras.saving, "load_model", load)


@pytest.mark.parametrize("nested", [False, True])
def test_a_lambda_layer_is_refused_before_anything_runs(
    tmp_path, nothing_runs, nested
):
    path = save_lambda(tmp_path / "m.keras", nested=nested)
    with pytest.raises(InputError, match=r"m\.keras: has a Lambda .*twice"):
        ki.load_model(path)


def test_a_lambda_layer_of_a_named_function_is_refused(tmp_path, nothing_runs):
    layer = layers.Lambda(keras.activations.relu)
    path = save_lambda(tmp_path / "m.keras", layer)
    with pytest.raises(InputError, match="has a Lambda layer"):
        ki.load_model(path)


def test_a_lambda_layer_inside_a_layer_is_refused(tmp_path, nothing_runs):
    layer = layers.TimeDistributed(layers.Lambda(lambda x: x, name="same"))
    x = keras.Input((2, 3))
    keras.Model(x, layer(x)).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="has a Lambda layer .same"):
        ki.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize(
    "module, class_name",
    [
        ("keras", "layers.Lambda"),
        ("keras.src.layers.core.lambda_layer", "Lambda"),
    ],
)
def test_other_spellings_of_lambda_are_refused(
    tmp_path, nothing_runs, module, class_name
):
    rewrite(
        save_lambda(tmp_path / "plain.keras"),
        tmp_path / "m.keras",
        lambda part: (
            part.get("class_name") == "Lambda"
            and part.update(module=module, class_name=class_name)
        ),
    )
    with pytest.raises(InputError, match="has a Lambda layer"):
        ki.load_model(tmp_path / "m.keras")


def rewrite(source, target, change):
    """Copies a `.keras` file whose configuration is changed.

    Args:
        source, target: Paths.
        change: Called with each dictionary of the configuration.
    """

    def called(part):
        change(part)
        return part

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(json.loads(content, object_hook=called))
            new.writestr(name, content)


def test_a_layer_that_is_called_lambda_is_none(tmp_path):
    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(1, name="Lambda")(x))
    model.save(tmp_path / "m.keras")
    again = load_keras_file(tmp_path / "m.keras")
    assert again.get_layer("Lambda").units == 1


def test_weights_of_a_backbone_may_have_no_lambda_either(tmp_path):
    path = save_lambda(tmp_path / "m.keras")
    with pytest.raises(InputError, match="has a Lambda layer"):
        resnet18(width=0.1, weights=path)


# Files that are no models of this package.


def test_a_model_of_another_package_is_refused(tmp_path):
    x = keras.Input((2,))
    keras.Model(x, layers.Dense(1)(x)).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="not of this package"):
        ki.load_model(tmp_path / "m.keras")


def test_a_class_that_nobody_has_registered_is_named(tmp_path):
    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs

    x = keras.Input((2,))
    keras.Model(x, Mine()(x)).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="Could not locate class 'Mine'"):
        ki.load_model(tmp_path / "m.keras")


def test_an_archive_without_a_configuration_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    with pytest.raises(InputError, match="no item named 'config.json'"):
        ki.load_model(tmp_path / "m.keras")


def test_a_configuration_that_bursts_is_not_read(tmp_path, nothing_runs):
    with (
        zipfile.ZipFile(
            tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED
        ) as archive,
        archive.open("config.json", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(1 << 20))
    with pytest.raises(InputError, match="its configuration is too large"):
        ki.load_model(tmp_path / "m.keras")
