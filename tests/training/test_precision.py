"""The type of a run's arithmetic."""

import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.training import precision
from keras_isample.training.precision import describe_arithmetic
from keras_isample.training.precision import with_precision


@pytest.fixture
def on(monkeypatch):
    """Function that pretends what the processor and the GPUs compute."""

    def pretend(*, computes=False, gains=False, gpus=()):
        monkeypatch.setattr(precision, "computes_bfloat16", lambda: computes)
        monkeypatch.setattr(precision, "gains_by_bfloat16", lambda: gains)
        monkeypatch.setattr(
            precision.tf.config,
            "list_physical_devices",
            lambda kind: list(range(len(gpus))),
        )
        monkeypatch.setattr(
            precision.tf.config.experimental,
            "get_device_details",
            lambda gpu: {"compute_capability": gpus[gpu]},
        )

    return pretend


def decided(chosen, devices="auto"):
    settings = {"mixed_precision": chosen, "devices": devices}
    config = Config.from_settings("data", settings)
    return with_precision(config).training.mixed_precision


@pytest.mark.parametrize("gains", [False, True])
def test_auto_follows_the_processor(on, gains):
    on(computes=True, gains=gains)
    assert decided("auto") == ("bfloat16" if gains else "none")


@pytest.mark.parametrize(
    ("gpus", "found"),
    [([(9, 0), (8, 0)], "bfloat16"), ([(9, 0), (7, 5)], "none")],
)
def test_auto_follows_the_gpus(on, gpus, found):
    on(gpus=gpus)
    assert decided("auto") == found
    assert decided("auto", "gpu:0") == "bfloat16"


def test_auto_on_the_processor_does_not_ask_the_gpus(on):
    on(gpus=[(9, 0)])
    assert decided("auto", "cpu") == "none"


@pytest.mark.parametrize("chosen", ["none", "float16"])
def test_other_types_stay(on, chosen):
    on(computes=True, gains=True)
    assert decided(chosen) == chosen


def test_bfloat16_stays_where_it_is_computed(on):
    on(computes=True)
    assert decided("bfloat16") == "bfloat16"


def test_bfloat16_is_refused_where_it_is_not_computed(on):
    on()
    with pytest.raises(InputError, match="`mixed_precision`: is bfloat16"):
        decided("bfloat16")


def test_onednn_that_is_switched_off_is_named(on, monkeypatch):
    on()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with pytest.raises(InputError, match="TF_ENABLE_ONEDNN_OPTS is 0"):
        decided("bfloat16")


def test_the_arithmetic_is_told():
    config = Config.from_settings("data", {})
    assert describe_arithmetic(config).endswith("; arithmetic in float32")


def test_a_run_writes_what_auto_became(ball_run, ball_config):
    written = (ball_run.path / "config.toml").read_text()
    assert 'mixed_precision = "none"' in written
    auto = ball_config(mixed_precision="auto")
    assert not auto.differences(ball_config(mixed_precision="bfloat16"))
    assert ball_config().differences(ball_config(mixed_precision="bfloat16"))
