"""The picture of a population."""

import keras_isample.figures.population_curves as population_curves
from keras_isample.figures.population_curves import draw_population


def row(epoch, rate, dice=0.5):
    return {
        "epoch": epoch,
        "val_dice": dice,
        "learning_rate": rate,
        "loss": 1 / epoch,
        "noise_scale": rate / 2,
    }


PERIODS = [
    ([[row(1, 0.05), row(2, 0.05)], [row(1, 0.01), row(2, 0.01, None)]], 0),
    ([[row(3, 0.1)], []], None),
]


def drawn(monkeypatch, tmp_path, periods):
    figures = []
    monkeypatch.setattr(
        population_curves, "write_png", lambda f, p: figures.append(f)
    )
    draw_population(tmp_path / "figures" / "autolr.png", periods)
    return figures[0].axes


def test_picture_is_written(tmp_path):
    path = tmp_path / "figures" / "autolr.png"
    draw_population(path, PERIODS)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_four_quantities_are_shown(monkeypatch, tmp_path):
    axes = drawn(monkeypatch, tmp_path, PERIODS)
    titles = [a.get_title() for a in axes]
    assert titles == [
        "mean validation Dice",
        "learning rate",
        "training loss",
        "noise scale (rate / batch)",
    ]


def test_winner_is_thick_and_ends_in_a_star(monkeypatch, tmp_path):
    rate = drawn(monkeypatch, tmp_path, PERIODS)[1]
    lines = {tuple(line.get_ydata()): line for line in rate.lines}
    winner, other = lines[(0.05, 0.05)], lines[(0.01, 0.01)]
    assert winner.get_linewidth() > other.get_linewidth()
    assert lines[(0.05,)].get_marker() == "*"
    assert (0.1,) in lines


def test_scores_that_are_missing_are_left_out(monkeypatch, tmp_path):
    dice = drawn(monkeypatch, tmp_path, PERIODS)[0]
    assert any(list(line.get_xdata()) == [1] for line in dice.lines)


def test_no_period_at_all_is_drawn(tmp_path):
    draw_population(tmp_path / "autolr.png", [])
    assert (tmp_path / "autolr.png").exists()
