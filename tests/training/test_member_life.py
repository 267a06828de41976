"""What members are doing, read by the driver."""

import json

import pytest

from keras_isample.training.member_life import LifeReader
from keras_isample.training.member_life import LifeReporter
from keras_isample.training.member_life import forget_life


@pytest.fixture
def file(tmp_path):
    return tmp_path / "life.json"


@pytest.fixture
def reporter(clock):
    return LifeReporter(clock=clock, beat=None)


@pytest.fixture
def reader(clock):
    return LifeReader(clock)


def test_what_a_member_does_reaches_the_driver(file, reporter, reader, clock):
    with reporter.into(file):
        with reporter.phase("compiling the first step"):
            assert reader.read(file) == "still compiling the first step, 0:00"
        with reporter.phase("error maps", 3, item="case") as phase:
            clock.step(5)
            phase.within(1, 2)
            text = "error maps: case 1 of 3, 50 % of its voxels  0:25 left"
            assert reader.read(file) == text
    assert list(file.parent.iterdir()) == []


def test_it_is_not_written_at_every_step(file, reporter, reader, clock):
    numbers = set()
    with reporter.into(file), reporter.phase("steps", 1000) as phase:
        for step in range(1000):
            clock.step(0.01)
            phase(step)
            numbers.add(json.loads(file.read_text())["number"])
    assert len(numbers) <= 6


def test_a_member_that_computes_for_long_gives_signs(
    file, reporter, reader, clock
):
    with reporter.into(file), reporter.phase("steps", 9) as phase:
        phase(1)
        for _ in range(200):
            clock.step(1)
            reporter.tick()
            assert "no sign" not in reader.read(file)


def test_a_member_without_a_sign_is_noticed(file, reader, clock):
    file.write_text(json.dumps({"number": 3, "text": "epoch 1/2"}))
    assert reader.read(file) == "epoch 1/2"
    clock.step(59)
    assert reader.read(file) == "epoch 1/2"
    clock.step(11)
    assert reader.read(file) == "epoch 1/2 (no sign of it for 1:10)"


@pytest.mark.parametrize("text", [None, "", "{", "[1]"])
def test_a_member_without_a_file_is_starting(file, reader, clock, text):
    if text is not None:
        file.write_text(text)
    reader.read(file)
    clock.step(12)
    assert reader.read(file) == "starting, 0:12 so far"


def test_without_a_file_nothing_is_written(file, reporter):
    with reporter.phase("reading headers"):
        assert list(file.parent.iterdir()) == []


def test_phases_that_an_error_left_end_with_the_member(file, reporter):
    with pytest.raises(ZeroDivisionError), reporter.into(file):
        reporter.phase("steps", 9).begin()
        raise ZeroDivisionError
    assert reporter.phases == []


def test_a_folder_that_cannot_be_written_does_not_stop_a_member(
    tmp_path, reporter
):
    with reporter.into(tmp_path / "none" / "life.json"):
        with reporter.phase("steps", 9) as phase:
            phase(1)


def test_forgetting_what_is_not_there_is_no_error(file):
    forget_life(file)
    file.touch()
    forget_life(file)
    assert not file.exists()
