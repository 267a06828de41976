"""The whole training state in one file."""

import keras
import numpy as np
import pytest

from keras_isample.errors import InputError
from keras_isample.losses import CrossEntropy
from keras_isample.training.optimizers import sgd
from keras_isample.training.state import load_progress
from keras_isample.training.state import restore_state
from keras_isample.training.state import save_state

PROGRESS = {"epochs": 2, "rows": [{"epoch": 1, "val_dice": 1 / 3}]}


class FakeSampler:
    """Has a state and keeps what it is restored to."""

    def __init__(self):
        self.restored = None

    def state(self):
        return {
            "epoch": np.int64(2),
            "histograms": np.arange(6, dtype=np.int64).reshape(2, 3),
        }

    def restore(self, state):
        self.restored = state


def small_model(units=4):
    keras.utils.set_random_seed(units)
    model = keras.Sequential(
        [
            keras.Input([5]),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer=sgd(0.1), loss=CrossEntropy())
    model.optimizer.build(model.trainable_variables)
    return model


def train(model, steps, seed):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x = rng.normal(size=(8, 5)).astype(np.float32)
        y = rng.integers(0, 3, (8, 1))
        model.train_on_batch(x, y)


def values(model):
    return [
        keras.ops.convert_to_numpy(v)
        for v in [*model.variables, *model.optimizer.variables]
    ]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.npz"


@pytest.fixture
def saved(path):
    model = small_model()
    train(model, 3, 0)
    save_state(path, model, FakeSampler(), PROGRESS)
    return model


def test_every_variable_is_restored(saved, path):
    other = small_model()
    assert not all(map(np.array_equal, values(saved), values(other)))
    restore_state(path, other, FakeSampler())
    for one, two in zip(values(saved), values(other), strict=True):
        assert one.dtype == two.dtype
        assert np.array_equal(one, two)


def test_momentum_rate_and_steps_are_among_them(saved, path):
    other = small_model()
    restore_state(path, other, FakeSampler())
    assert int(other.optimizer.iterations) == 3
    momenta = other.optimizer.variables[2:]
    assert any(np.any(keras.ops.convert_to_numpy(m)) for m in momenta)


def test_training_goes_on_as_if_nothing_had_happened(saved, path):
    other = small_model()
    restore_state(path, other, FakeSampler())
    for model in (saved, other):
        train(model, 4, 1)
    for one, two in zip(values(saved), values(other), strict=True):
        assert np.array_equal(one, two)


def test_forgotten_dropout_would_be_seen(saved, path):
    other = small_model()
    restore_state(path, other, FakeSampler())
    other.layers[2].seed_generator.state.assign([1, 2])
    for model in (saved, other):
        train(model, 4, 1)
    assert not all(map(np.array_equal, values(saved), values(other)))


def test_sampler_and_progress_come_back(saved, path):
    sampler = FakeSampler()
    restore_state(path, small_model(), sampler)
    assert sampler.restored["epoch"] == 2
    assert np.array_equal(
        sampler.restored["histograms"], FakeSampler().state()["histograms"]
    )
    assert load_progress(path) == PROGRESS


def test_other_network_is_refused(saved, path):
    with pytest.raises(InputError, match="another network"):
        restore_state(path, small_model(units=6), FakeSampler())


def test_missing_error_map_is_named(saved, path):
    class Forgetful(FakeSampler):
        def restore(self, state):
            raise ValueError("The error map 00000-000003.npy is missing.")

    with pytest.raises(InputError) as error:
        restore_state(path, small_model(), Forgetful())
    assert str(error.value).startswith(str(path))
    assert "00000-000003.npy is missing" in str(error.value)


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "text"])
def test_damaged_file_is_refused(saved, path, damage):
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        damaged = {"truncated": content[:-100], "empty": b"", "text": b"text"}
        path.write_bytes(damaged[damage])
    with pytest.raises(InputError) as error:
        load_progress(path)
    assert str(error.value).startswith(str(path))


def test_failed_saving_keeps_the_older_state(saved, path):
    class Failing(FakeSampler):
        def state(self):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_state(path, saved, Failing(), {})
    assert load_progress(path) == PROGRESS
    assert [p.name for p in path.parent.iterdir()] == ["state.npz"]
