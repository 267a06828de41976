import pytest

from keras_isample.errors import InputError
from keras_isample.errors import reason_of_no_memory


def test_error_is_one_line():
    error = InputError("a b", "is\n wrong.", "Do  that.")
    assert str(error) == "a b: is wrong. Do that."


@pytest.mark.parametrize(
    "error, reason",
    [
        (MemoryError(), "an allocation failed"),
        (
            RuntimeError("x\n\nOOM when allocating a [9] by allocator cpu\ny"),
            "OOM when allocating a [9]",
        ),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (ValueError("no"), None),
    ],
)
def test_memory_that_is_used_up_is_known_however_it_is_said(error, reason):
    assert reason_of_no_memory(error) == reason
