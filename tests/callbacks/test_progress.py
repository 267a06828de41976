"""What is shown while a model is trained."""

import io

import pytest

from keras_isample.callbacks.progress import ProgressReport
from keras_isample.progress import LineReporter


@pytest.fixture
def reporter(clock):
    return LineReporter(io.StringIO(), clock=clock, beat=None)


@pytest.fixture
def lines(reporter):
    def lines():
        return reporter._stream.getvalue().splitlines()

    return lines


@pytest.fixture
def train(clock, reporter):
    """Function that goes through the calls of a training.

    A step takes `step` seconds, the first one `first`; between the last step
    of an epoch and the next epoch `ending` pass. With `calls`, a function of
    epoch and batch is called after each step.
    """

    def train(
        *,
        epochs=1,
        steps=2,
        step=1.0,
        first=0.0,
        ending=0.0,
        logs=None,
        calls=lambda epoch, batch: None,
    ):
        report = ProgressReport(reporter)
        report.set_params({"epochs": epochs, "steps": steps})
        report.on_train_begin()
        clock.step(first)
        for epoch in range(epochs):
            report.on_epoch_begin(epoch)
            for batch in range(steps):
                clock.step(step)
                report.on_train_batch_end(batch, {"loss": 0.25})
                calls(epoch, batch)
            clock.step(ending)
            report.on_epoch_end(epoch, logs or {})
        report.on_train_end()

    return train


def test_a_short_epoch_is_one_line(train, lines):
    train(epochs=3)
    assert [line.split()[:2] for line in lines()] == [
        ["epoch", "1/3"],
        ["epoch", "2/3"],
        ["epoch", "3/3"],
    ]


def test_the_line_has_the_epochs_figures(train, lines):
    train(
        logs={
            "data_loss": 0.12345678,
            "loss": 9.0,
            "learning_rate": 0.01,
            "acceptance_rate": 0.5,
            "mean_error": 0.25,
            "val_dice": 0.875,
        }
    )
    assert lines() == [
        "epoch 1/1  loss 0.1235  rate 0.01  accepted 0.5  error 0.25  "
        "Dice 0.875  2 s"
    ]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_figure_that_is_not_known_is_left_out(train, lines, value):
    train(logs={"data_loss": 0.5, "val_dice": value})
    (line,) = lines()
    assert "loss 0.5" in line
    assert "Dice" not in line


def test_the_first_line_comes_soon_after_the_first_step(train, lines, clock):
    train(first=5, steps=40, step=1)
    # The first step ended after 6 seconds.
    assert lines()[0].startswith("epoch 1/1  step 11/40  loss 0.2500")
    assert lines()[1].startswith("epoch 1/1  step 38/40  loss 0.2500")
    assert len(lines()) == 3


def test_without_a_second_step_the_first_line_comes_all_the_same(
    train, lines, clock, reporter
):
    def wait(epoch, batch):
        for _ in range(15):
            clock.step(1)
            reporter.tick()

    train(steps=1, calls=wait)
    assert lines()[0] == "epoch 1/1  step 1/1  loss 0.2500"


def test_that_the_first_step_is_compiled_is_told(train, lines, clock, reporter):
    report = ProgressReport(reporter)
    report.set_params({"epochs": 1, "steps": 9})
    report.on_train_begin()
    report.on_epoch_begin(0)
    clock.step(40)
    reporter.tick()
    assert lines() == ["still compiling the first step, 0:40"]


def test_speed_and_time_left_are_those_of_the_newest_steps(train, lines):
    train(first=100, epochs=2, steps=100, step=2)
    # The first step, with all that is compiled, does not count; nothing is
    # known of what comes between two epochs.
    assert lines()[:2] == [
        "epoch 1/2  step 1/100  loss 0.2500",
        "epoch 1/2  step 15/100  loss 0.2500  0.5 steps/s  at least 6:10 left",
    ]


def test_time_left_has_what_comes_between_epochs(train, clock, reporter):
    seen = {}

    def note(epoch, batch):
        seen[epoch, batch] = reporter.phases[-1].seconds_left(clock())

    train(epochs=4, steps=10, step=2, ending=60, calls=note)
    # 10 steps and the ending of 4 epochs, after each of the steps.
    assert seen[0, 4] == 35 * 2
    assert seen[1, 4] == 25 * 2 + 3 * 60
    assert seen[3, 9] == 60
    # After the last step of a single epoch nothing is known.
    seen.clear()
    train(epochs=1, steps=10, step=2, ending=60, calls=note)
    assert seen[0, 9] is None


def test_the_first_ending_counts_until_others_are_known(clock, reporter, lines):
    report = ProgressReport(reporter)
    report.set_params({"epochs": 4, "steps": 2})
    report.on_train_begin()
    left = []
    for epoch, ending in enumerate((90, 30, 30, 30)):
        report.on_epoch_begin(epoch)
        for batch in range(2):
            clock.step(1)
            report.on_train_batch_end(batch, {"loss": 0.25})
        left.append(reporter.phases[-1].seconds_left(clock()))
        clock.step(ending)
        report.on_epoch_end(epoch, {})
    assert left[1] == 4 + 3 * 90
    assert left[2] == 2 + 2 * 30


def test_saving_is_told_if_it_takes_long(clock, reporter, lines):
    report = ProgressReport(reporter)
    report.set_params({"epochs": 1, "steps": 1})
    report.on_train_begin()
    report.on_epoch_begin(0)
    report.on_train_batch_end(0, {"loss": 0.25})
    report.on_epoch_end(0, {})
    clock.step(30)
    reporter.tick()
    assert lines()[-1] == "still saving the epoch, 0:30"
    report.on_train_end()
    assert reporter.phases == []


def test_a_training_ends_what_an_interrupted_one_left(clock, reporter):
    report = ProgressReport(reporter)
    report.set_params({"epochs": 1, "steps": 2})
    for _ in range(2):
        report.on_train_begin()
        report.on_epoch_begin(0)
        report.on_train_batch_end(0, {"loss": 0.25})
        assert len(reporter.phases) == 1


def test_by_default_nothing_is_shown(capsys):
    report = ProgressReport()
    report.set_params({"epochs": 1, "steps": 1})
    report.on_train_begin()
    report.on_epoch_begin(0)
    report.on_train_batch_end(0, {"loss": 0.25})
    report.on_epoch_end(0, {"data_loss": 0.25})
    report.on_train_end()
    assert capsys.readouterr() == ("", "")
