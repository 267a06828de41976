"""The loss of a run and the weights of its classes."""

from dataclasses import dataclass

import pytest

from keras_isample.config import Config
from keras_isample.losses import CEDice
from keras_isample.losses import CrossEntropy
from keras_isample.losses import ScheduledLoss
from keras_isample.training.run_loss import class_weights_of
from keras_isample.training.run_loss import make_run_loss


@dataclass
class Counted:
    """A case of which only the labels are known."""

    trained_counts: tuple


def config(**settings):
    return Config.from_settings("scans", settings)


def test_median_frequency_counts_only_cases_where_a_class_occurs():
    cases = [Counted((90, 10, 0)), Counted((60, 20, 20))]
    weights = class_weights_of(
        config(loss="wce", class_weights="median-frequency"), cases
    )
    # Frequencies 150 / 200, 30 / 200 and 20 / 100; their median is 0.2.
    assert weights == pytest.approx([0.2 / 0.75, 0.2 / 0.15, 1.0])


def test_effective_numbers_tell_classes_of_voxels_apart():
    loss = config(loss="wce", class_weights="effective-number")
    cases = [Counted((10**6, 10**4, 10**3))]
    background, medium, small = class_weights_of(loss, cases)
    assert background + medium + small == pytest.approx(3)
    # 1 / (1 - exp(-n / m)) of n / m = 100, 1 and 0.1.
    assert medium / background == pytest.approx(1.582, rel=1e-3)
    assert small / background == pytest.approx(10.51, rel=1e-3)


def test_no_weights_without_the_option():
    assert class_weights_of(config(), [Counted((1, 1))]) is None


def test_a_single_loss_is_itself():
    loss = make_run_loss(config(), None, ((1,),))
    assert isinstance(loss, CrossEntropy)
    assert loss.merged_classes == ((1,),)


def test_stages_are_a_schedule():
    loss = make_run_loss(
        config(
            loss_schedule="wce:0, wce-dice:4",
            loss_transition="linear",
            class_weights="median-frequency",
        ),
        [0.1, 1.0],
    )
    assert isinstance(loss, ScheduledLoss)
    assert [type(part) for part in loss.losses] == [CrossEntropy, CEDice]
    assert loss.starts == [0, 4]
    assert loss.weights_at(1) == pytest.approx([0.75, 0.25])
