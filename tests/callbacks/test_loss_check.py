"""A loss that does not know the sampler's merged classes is refused."""

from dataclasses import replace

import keras
import pytest

from keras_isample.callbacks import ErrorMapUpdate
from keras_isample.callbacks import OnlineErrorMaps
from keras_isample.losses import CrossEntropy
from keras_isample.sampling import ISample


@pytest.fixture
def make_sampler(make_case):
    case = make_case([[[0, 1, 2, 3]]])

    def make(*merged):
        return ISample([replace(case, merged=m) for m in merged])

    return make


@pytest.fixture(params=[ErrorMapUpdate, OnlineErrorMaps])
def begin(request):
    """Function that begins the training of a model with some loss."""

    def begin(sampler, loss):
        x = keras.Input((4,))
        model = keras.Model(x, keras.layers.Softmax()(x))
        model.compile(loss=loss)
        callback = request.param(sampler)
        callback.set_model(model)
        callback.on_train_begin()

    return begin


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(),
        CrossEntropy(merged_classes=((3,),)),
        keras.losses.SparseCategoricalCrossentropy(),
    ],
)
def test_loss_with_other_merged_classes_is_refused(make_sampler, begin, loss):
    sampler = make_sampler((), (2,))
    with pytest.raises(ValueError, match="merged_classes=sampler"):
        begin(sampler, loss)


def test_loss_with_the_merged_classes_is_accepted(make_sampler, begin):
    sampler = make_sampler((), (3,), (2,))
    begin(sampler, CrossEntropy(merged_classes=((2,), (3,))))


def test_any_loss_is_accepted_where_nothing_is_merged(make_sampler, begin):
    begin(make_sampler(()), keras.losses.SparseCategoricalCrossentropy())
