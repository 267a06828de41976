"""What is written while a run goes on."""

import io

import pytest

from keras_isample.callbacks.progress import ProgressReport


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, logs, epochs=1):
    report = ProgressReport(stream)
    report.set_params({"epochs": epochs, "steps": 2})
    for epoch in range(epochs):
        report.on_epoch_begin(epoch)
        for batch in range(2):
            report.on_train_batch_end(batch, {"loss": 0.25})
        report.on_epoch_end(epoch, logs)
    report.on_train_end()
    return report


def test_elsewhere_than_on_a_terminal_an_epoch_is_one_line():
    stream = io.StringIO()
    run(stream, {}, epochs=3)
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]


def test_the_line_has_the_epochs_figures():
    stream = io.StringIO()
    run(
        stream,
        {
            "data_loss": 0.12345678,
            "loss": 9.0,
            "learning_rate": 0.01,
            "acceptance_rate": 0.5,
            "mean_error": 0.25,
            "val_dice": 0.875,
        },
    )
    assert stream.getvalue() == (
        "epoch 1/1  loss 0.1235  rate 0.01  accepted 0.5  error 0.25  "
        "Dice 0.875  0 s\n"
    )


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_figure_that_is_not_known_is_left_out(value):
    stream = io.StringIO()
    run(stream, {"data_loss": 0.5, "val_dice": value})
    assert "loss 0.5" in stream.getvalue()
    assert "Dice" not in stream.getvalue()


def test_on_a_terminal_the_line_comes_too_and_the_bar_ends():
    stream = Terminal()
    report = run(stream, {"data_loss": 0.5}, epochs=2)
    assert report._bar is None
    for line in ("epoch 1/2  loss 0.5", "epoch 2/2  loss 0.5"):
        assert line in stream.getvalue()


def test_an_interrupted_epoch_leaves_no_bar():
    report = ProgressReport(Terminal())
    report.set_params({"epochs": 1, "steps": 2})
    report.on_epoch_begin(0)
    report.on_train_batch_end(0, {"loss": 0.25})
    report.on_train_end()
    assert report._bar is None
