"""How much memory there is."""

import os
import resource

import pytest

from keras_isample.volumes import memory
from keras_isample.volumes.memory import address_space_left
from keras_isample.volumes.memory import machine_memory
from keras_isample.volumes.memory import memory_limit

WHOLE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def write_groups(tmp_path, monkeypatch):
    """Function that writes the groups of this process and their limits."""
    groups, proc = tmp_path / "groups", tmp_path / "proc"
    proc.mkdir()
    monkeypatch.setattr(memory, "_GROUPS", groups)
    monkeypatch.setattr(memory, "_PROC", proc)

    def write(text, **limits):
        (proc / "cgroup").write_text(text)
        for name, limit in limits.items():
            path = groups / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{limit}\n")

    return write


def test_machine_has_its_memory(write_groups):
    assert machine_memory() == WHOLE


@pytest.mark.parametrize(
    "text, file",
    [
        ("0::/\n", "memory.max"),
        ("0::/a/b\n", "a/b/memory.max"),
        # The limit of a group holds for those in it.
        ("0::/a/b\n", "a/memory.max"),
        ("9:name=systemd:/\n4:memory:/a\n", "memory/a/memory.limit_in_bytes"),
        ("4:cpu,memory:/a\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_container_has_its_limit(write_groups, text, file):
    write_groups(text, **{file: 1 << 20})
    assert machine_memory() == 1 << 20


@pytest.mark.parametrize("limit", ["max", 1 << 62])
def test_group_without_limit_has_all(write_groups, limit):
    write_groups("0::/\n", **{"memory.max": limit})
    assert machine_memory() == WHOLE


def test_system_without_groups_has_all(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    assert machine_memory() == WHOLE


@pytest.mark.parametrize(
    "container, process, smaller",
    [
        (1 << 20, resource.RLIM_INFINITY, 1 << 20),
        (1 << 20, 1 << 21, 1 << 20),
        (1 << 21, 1 << 20, 1 << 20),
    ],
)
def test_the_smaller_of_both_limits_counts(
    write_groups, monkeypatch, container, process, smaller
):
    write_groups("0::/\n", **{"memory.max": container})
    limits = process, resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits)
    assert memory_limit() == smaller


def test_address_space_is_that_of_the_limit_without_what_is_mapped(
    monkeypatch,
):
    def limit(size):
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (size, size))

    limit(resource.RLIM_INFINITY)
    assert address_space_left() is None
    limit(1 << 50)
    assert (1 << 50) - (1 << 40) < address_space_left() < 1 << 50
    limit(1 << 20)
    assert address_space_left() == 0
