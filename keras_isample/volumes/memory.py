"""How much memory there is: of the machine, and of this process."""

import os
import resource
from pathlib import Path

_PROC = Path("/proc/self")

_GROUPS = Path("/sys/fs/cgroup")


def machine_memory() -> int:
    """Bytes that programs can use: those of the machine, or of a container."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *_group_limits()])


def memory_limit() -> int:
    """Bytes that this process can use at most, by `ulimit -v`, too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return machine_memory()
    return min(machine_memory(), limit)


def address_space_left() -> int | None:
    """Bytes that this process may still map (`ulimit -v`).

    Returns:
        `None` if there is no limit.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int((_PROC / "statm").read_text().split()[0])
    except (OSError, ValueError):
        pages = 0
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))


def _group_limits():
    """Limits of the control groups that this process is in."""
    try:
        lines = (_PROC / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if not kinds:
            root, name = _GROUPS, "memory.max"
        elif "memory" in kinds.split(","):
            root, name = _GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A container sees its own group as the root.
        folder = root / place.strip("/")
        for path in (folder, *folder.parents):
            if path.is_relative_to(root):
                limit = _number(path / name)
                if limit is not None:
                    yield limit


def _number(path):
    """The number in a file; `None` if there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
