"""What was decided, on disk."""

import json

import pytest

from keras_isample.callbacks.error_map_log import ErrorMapLog
from keras_isample.errors import InputError

FACTS = {"seed": 1, "cases": ["a", "b"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "concurrent" / "log.jsonl"


@pytest.fixture
def written(path):
    log = ErrorMapLog(path, FACTS)
    log.add(1, {})
    log.add(2, {1: 1, 0: 2})
    log.add(3, {1: 2})
    return log


def test_decisions_read_back(path, written):
    for log in (written, ErrorMapLog(path, FACTS)):
        assert log.decision(1) == {}
        assert log.decision(2) == {0: 2, 1: 1}
        assert log.decision(4) is None
        assert log.since(2) == [(0, 2), (1, 1), (1, 2)]
        assert log.since(4) == []


def test_one_line_an_epoch(path, written):
    first, *lines = path.read_text().splitlines()
    assert json.loads(first)["cases"] == ["a", "b"]
    assert json.loads(lines[1]) == {"epoch": 2, "maps": [[0, 2], [1, 1]]}
    assert len(lines) == 3


def test_nothing_is_written_before_a_decision(path):
    assert ErrorMapLog(path, FACTS).decision(1) is None
    assert not path.exists()


def test_log_of_another_run_is_refused(path, written):
    with pytest.raises(InputError, match="belongs to a run of other cases"):
        ErrorMapLog(path, {**FACTS, "seed": 2})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        '{"format": 1, "seed": 1, "cases": ["a", "b"]}\n[]\n',
        # Weights after epoch 2 were not there at the end of epoch 1.
        '{"format": 1, "seed": 1, "cases": ["a", "b"]}\n'
        '{"epoch": 1, "maps": [[0, 2]]}\n',
    ],
)
def test_what_is_no_log_is_refused(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match="is no log of error maps"):
        ErrorMapLog(path, FACTS)


def test_gap_is_told(path, written):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], lines[3]]))
    log = ErrorMapLog(path, FACTS)
    with pytest.raises(InputError, match="lacks epoch 2"):
        log.decision(2)
