"""The moving average of durations."""

from keras_isample.progress.pace import Pace


def test_nothing_is_known_at_first():
    assert Pace().seconds is None


def test_the_mean_is_that_of_items_not_of_updates():
    pace = Pace()
    pace.add(1, 4.0)
    pace.add(3, 4.0)
    assert pace.seconds == 2.0


def test_parts_of_an_item_count_as_such():
    pace = Pace()
    pace.add(0.25, 5.0)
    assert pace.seconds == 20.0


def test_old_updates_are_forgotten():
    pace = Pace(window=2)
    for seconds in (100.0, 1.0, 3.0):
        pace.add(1, seconds)
    assert pace.seconds == 2.0
