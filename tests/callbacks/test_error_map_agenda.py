"""The order in which error maps are made."""

from keras_isample.callbacks.error_map_agenda import Agenda


def made(agenda):
    """Does the next task; its map is named like it."""
    task = agenda.begin()
    agenda.finish(f"map {task}")
    return task


def test_nothing_is_made_before_there_are_weights():
    assert Agenda([0, 1]).begin() is None


def test_cases_come_in_their_order_and_each_once():
    agenda = Agenda([2, 0, 1])
    agenda.newest = 1
    assert [made(agenda) for _ in range(3)] == [(2, 1), (0, 1), (1, 1)]
    assert agenda.begin() is None


def test_every_case_is_begun_with_the_newest_weights():
    agenda = Agenda([0, 1, 2])
    agenda.newest = 1
    assert made(agenda) == (0, 1)
    agenda.newest = 4
    # Those that have none, and then the oldest.
    assert [made(agenda) for _ in range(3)] == [(1, 4), (2, 4), (0, 4)]


def test_maps_in_use_are_not_made_again():
    agenda = Agenda([0, 1], {0: 3, 1: 2})
    agenda.newest = 3
    assert made(agenda) == (1, 3)
    assert agenda.begin() is None


def test_newest_map_of_each_case_is_taken():
    agenda = Agenda([0, 1])
    agenda.newest = 1
    made(agenda)
    agenda.newest = 2
    made(agenda)
    made(agenda)
    newest, others = agenda.take_all()
    assert newest == {0: "map (0, 2)", 1: "map (1, 2)"}
    assert others == ["map (0, 1)"]
    assert agenda.take_all() == ({}, [])


def test_wanted_maps_come_first_and_in_their_order():
    agenda = Agenda([0, 1], {0: 1})
    agenda.newest = 3
    agenda.want([(1, 3), (1, 2), (0, 2)])
    assert [made(agenda) for _ in range(3)] == [(1, 3), (1, 2), (0, 2)]
    assert made(agenda) == (0, 3)
    assert agenda.begin() is None


def test_wanted_maps_wait_for_their_weights():
    agenda = Agenda([0, 1])
    agenda.newest = 1
    agenda.want([(0, 2)])
    assert agenda.begin() is None
    agenda.newest = 2
    assert made(agenda) == (0, 2)


def test_only_wanted_maps_are_taken():
    agenda = Agenda([0, 1])
    agenda.newest = 1
    agenda.want([(0, 1)])
    assert agenda.take([(0, 1)]) is None
    made(agenda)
    made(agenda)
    assert agenda.take([(0, 1)]) == {0: "map (0, 1)"}
    assert agenda.take([]) == {}
    assert agenda.take_all() == ({1: "map (1, 1)"}, [])


def test_map_that_is_finished_is_not_wanted_again():
    agenda = Agenda([0])
    agenda.newest = 1
    made(agenda)
    agenda.want([(0, 1)])
    assert agenda.begin() is None
    assert agenda.take([(0, 1)]) == {0: "map (0, 1)"}


def test_versions_are_those_that_are_needed():
    agenda = Agenda([0, 1])
    assert agenda.versions() == set()
    agenda.newest = 1
    made(agenda)
    agenda.newest = 2
    agenda.begin()
    agenda.newest = 5
    agenda.want([(1, 7)])
    # Finished, begun, newest, wanted.
    assert agenda.versions() == {1, 2, 5, 7}
    agenda.take_all()
    assert agenda.versions() == {2, 5, 7}


def test_task_that_failed_is_begun_again():
    agenda = Agenda([0, 1])
    agenda.newest = 1
    assert agenda.begin() == agenda.begin() == (0, 1)
