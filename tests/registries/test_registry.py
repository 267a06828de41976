"""Things by name."""

import math

import pytest

from keras_isample.registries import Registry
from keras_isample.registries.registry import imported


@pytest.fixture
def registry():
    registry = Registry("fruit")
    registry.register("apple", 1)
    registry.register("pear", 2)
    return registry


def test_entries_are_found_by_name_in_their_order(registry):
    assert registry["pear"] == 2
    assert list(registry) == ["apple", "pear"]
    assert "apple" in registry and "fig" not in registry
    assert len(registry) == 2


def test_unknown_names_are_refused_with_those_that_are_known(registry):
    with pytest.raises(ValueError, match="no fruit named 'fig'.*apple, pear"):
        registry["fig"]


def test_names_of_this_package_are_taken(registry):
    registry.protect()
    registry.register("fig", 3)
    registry.register("fig", 4)
    assert registry["fig"] == 4
    with pytest.raises(ValueError, match="fruit of this package"):
        registry.register("apple", 3)
    registry.remove("apple")
    assert registry["apple"] == 1
    assert registry.is_ours("apple") and not registry.is_ours("fig")


def test_an_entry_can_be_removed(registry):
    registry.remove("apple")
    registry.remove("apple")
    assert list(registry) == ["pear"]


def test_a_place_is_imported():
    assert imported("math:hypot") is math.hypot
    assert imported(math.hypot) is math.hypot
