"""Loading Keras, whatever was set for other programs."""

import importlib.util
import json
import os
import resource
import subprocess
import sys

import keras
import pytest

from keras_isample.cli import loading
from keras_isample.cli.loading import loading_keras
from keras_isample.errors import InputError


@pytest.mark.parametrize(
    "wanted, training, used, reason",
    [
        (None, True, "tensorflow", None),
        ("", False, "tensorflow", None),
        ("tensorflow", False, "tensorflow", None),
        ("jax", True, "tensorflow", "trained with TensorFlow"),
        ("jax", False, "jax", None),
        ("torch", False, "tensorflow", "torch is not installed"),
        ("theano", False, "tensorflow", "predict with TensorFlow, jax or"),
    ],
)
def test_backend_that_cannot_be_used_is_replaced_and_said(
    monkeypatch, caplog, wanted, training, used, reason
):
    monkeypatch.setattr(importlib.util, "find_spec", {"jax": "installed"}.get)
    monkeypatch.setenv("KERAS_BACKEND", wanted or "")
    if wanted is None:
        monkeypatch.delenv("KERAS_BACKEND")
    loading._choose_backend(training)
    # Children and Ray's actors inherit it.
    assert os.environ["KERAS_BACKEND"] == used
    assert len(caplog.messages) == (reason is not None)
    assert reason is None or reason in caplog.text


@pytest.fixture
def set_by_others():
    """Keras' settings, put back afterwards."""
    layout, floatx = keras.config.image_data_format(), keras.config.floatx()
    policy = keras.config.dtype_policy()
    yield keras.config
    keras.config.set_image_data_format(layout)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("floatx", ["float16", "float32", "float64"])
def test_settings_of_others_are_replaced(set_by_others, floatx):
    set_by_others.set_image_data_format("channels_first")
    set_by_others.set_floatx(floatx)
    set_by_others.set_dtype_policy(floatx)
    with loading_keras():
        pass
    assert keras.config.image_data_format() == "channels_last"
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "error, text",
    [
        (ValueError("Invalid `floatx`"), "keras.json: Keras cannot start"),
        (AttributeError("'list' object"), "keras.json: Keras cannot start"),
        (ModuleNotFoundError("No module", name="h5py"), "h5py: cannot be"),
        (
            ImportError("x.so: failed to map segment from shared object"),
            "memory: does not suffice to load TensorFlow",
        ),
        (ImportError("a.so: undefined symbol"), "Keras: cannot be loaded"),
    ],
)
def test_keras_that_cannot_be_loaded_is_one_line(
    tmp_path, monkeypatch, error, text
):
    class Broken:
        def find_spec(self, name, *others):
            if name == "keras":
                raise error

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(InputError, match=text), loading_keras():
        pass


@pytest.mark.parametrize("training, least", [(True, 3.0), (False, 2.5)])
def test_too_little_address_space_is_refused(monkeypatch, training, least):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**9, 10**9))
    with pytest.raises(InputError, match=rf"1\.0 GB .*Allow {least} GB"):
        with loading_keras(training=training):
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "content, code",
    [
        (
            {
                "image_data_format": "channels_first",
                "floatx": "float16",
                "backend": "nonsense",
                "epsilon": 1e-3,
            },
            0,
        ),
        ({"floatx": "bfloat16"}, 2),
        ([1], 2),
        (None, 0),
    ],
)
def test_keras_json_of_others_does_not_matter_or_is_named(
    tmp_path, ball_run, ball_data, content, code
):
    text = "{broken" if content is None else json.dumps(content)
    (tmp_path / "keras.json").write_text(text)
    command = [sys.executable, "-m", "keras_isample", "predict", "-q"]
    command += [ball_run.path, ball_data / "images/case_0.nii.gz"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
    )
    assert done.returncode == code, done.stderr
    if code:
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"keras-isample: error: {tmp_path}/keras.json")
