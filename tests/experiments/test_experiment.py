"""What all experiments do, with comparisons that are not real."""

import pytest

from keras_isample.errors import InputError
from keras_isample.experiments import Experiment
from keras_isample.experiments.tables import Table


class FakeComparison:
    def __init__(self, events, name, refuses=False):
        self.events, self.name, self.refuses = events, name, refuses

    def check(self):
        self.events.append(("check", self.name))
        if self.refuses:
            raise InputError("x", "was made with other settings", "Remove it")

    def train(self, **options):
        self.events.append(("train", self.name, sorted(options)))


class FakeExperiment(Experiment):
    def __init__(self, folder, comparisons):
        super().__init__(folder)
        self.comparisons = comparisons

    def _write_report(self):
        (self.folder / "report.md").write_text("report")
        return [Table("Dice", ("name",), [("a",)])]


@pytest.fixture
def events():
    return []


def test_all_comparisons_are_checked_then_trained_in_order(tmp_path, events):
    pair = [FakeComparison(events, name) for name in "ab"]
    experiment = FakeExperiment(tmp_path / "out", pair)
    experiment.run(say=lambda line: None, command_line=["x"])
    assert events == [
        ("check", "a"),
        ("check", "b"),
        ("train", "a", ["command_line", "say"]),
        ("train", "b", ["command_line", "say"]),
    ]


def test_nothing_is_trained_if_one_refuses(tmp_path, events):
    pair = [FakeComparison(events, "a"), FakeComparison(events, "b", True)]
    experiment = FakeExperiment(tmp_path / "out", pair)
    with pytest.raises(InputError, match="other settings"):
        experiment.run(say=lambda line: None)
    assert events == [("check", "a"), ("check", "b")]
    assert not experiment.folder.exists()


def test_a_report_can_be_had_without_training(tmp_path, events):
    experiment = FakeExperiment(tmp_path / "a/b", [FakeComparison(events, "a")])
    said = []
    (table,) = experiment.run(say=said.append, train=False)
    assert events == [("check", "a")]
    assert said == [table.to_markdown(), str(tmp_path / "a/b/report.md")]
    assert (tmp_path / "a/b/report.md").read_text() == "report"
