"""What a network learns of an organ that one of two cases lacks."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_isample.callbacks import OnlineErrorMaps
from keras_isample.losses import CrossEntropy
from keras_isample.models import PlainGeometry
from keras_isample.sampling import ISample

ORGAN = (slice(1, 5), slice(4, 8), slice(1, 6))
OTHER = (slice(6, 9), slice(1, 4), slice(2, 6))
HU = (-300, 0, 300)
"""Of background, organ 1 and organ 2."""


@pytest.fixture
def make_two(make_case):
    """Function that makes two like scans; the second lacks labels of 2."""

    def make(merged):
        rng = np.random.default_rng(0)
        true = np.zeros((10, 9, 8), np.uint8)
        true[OTHER], true[ORGAN] = 1, 2
        images = np.array(HU)[true] + rng.normal(0, 20, (2, *true.shape))
        lacking = np.where(true == 2, 0, true)
        cases = [
            make_case(labels, image, num_classes=3, name=f"{merged}{i}")
            for i, (labels, image) in enumerate(
                zip((true, lacking), images, strict=True)
            )
        ]
        cases[1] = replace(cases[1], missing=(2,), merged=(2,) * merged)
        return cases, images[1] / 218

    return make


def voxel_network():
    """Looks at every voxel alone."""
    keras.utils.set_random_seed(3)
    x = keras.Input((None, None, None, 1))
    hidden = keras.layers.Dense(16, activation="relu")(x)
    p = keras.layers.Dense(3, activation="softmax")(hidden)
    return keras.Model(x, p)


def organ_after_training(cases, image):
    """Mean p of class 2 at the organ of the second scan, and elsewhere."""
    sampler = ISample(
        cases, geometry=PlainGeometry(8), batch_size=4, augment=False
    )
    online = OnlineErrorMaps(sampler)
    model = voxel_network()
    loss = CrossEntropy(merged_classes=sampler.merged_classes)
    model.compile(keras.optimizers.Adam(0.03), loss, metrics=[online.metric])
    model.fit(
        sampler.dataset(25),
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[online],
    )
    p = keras.ops.convert_to_numpy(model(image[None, ..., None]))[0, ..., 2]
    inside = np.zeros(p.shape, bool)
    inside[ORGAN] = True
    return p[inside].mean(), p[~inside].mean(), sampler


@pytest.mark.slow
def test_an_organ_that_a_case_lacks_is_learned_and_not_unlearned(make_two):
    inside, elsewhere, sampler = organ_after_training(*make_two(True))
    assert inside > 0.98 and elsewhere < 0.02
    # Where the network says the organ, it is not wrong.
    errors = sampler.error_maps.errors(1).reshape(10, 9, 8)
    assert errors[ORGAN].mean() < 0.02 * 255


@pytest.mark.slow
def test_taken_as_background_it_is_unlearned(make_two):
    """So that the test above is known to be one."""
    inside, _, sampler = organ_after_training(*make_two(False))
    assert inside < 0.9
    errors = sampler.error_maps.errors(1).reshape(10, 9, 8)
    assert errors[ORGAN].mean() > 0.5 * 255
