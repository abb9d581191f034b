"""How much memory a picture will need, and how much there is: asked before the work, not found out in the middle."""

from __future__ import annotations

import os
from pathlib import Path

_ASKED_FROM = 256 * 2**20  # bytes: less than this any machine has

_GROUP = Path("/sys/fs/cgroup")


def check_memory(needed: int, name: str, *, limit: int | None, jobs: int) -> None:
    """Raise MemoryError where the work on a file needs more than the limit, or than its share of what is free."""
    if limit is not None and needed > limit:
        raise MemoryError(f"{name} needs about {_shown(needed)}, more than the limit of {_shown(limit)} (--max-memory)")
    if limit is None and needed > _ASKED_FROM:
        free = free_memory()
        if free is not None and needed > free // jobs:
            share = f"{_shown(free)} is free" + (f" for {jobs} jobs" if jobs > 1 else "")
            raise MemoryError(f"{name} needs about {_shown(needed)}, and {share}: --max-memory says otherwise")


def free_memory() -> int | None:
    """Bytes that new work can have, on the machine and in the control group of this process; None if no one says."""
    found = [free for free in (_of_machine(), _of_group()) if free is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):  # not Linux: physical memory, if the system says that
        names = ("SC_PHYS_PAGES", "SC_PAGE_SIZE")
        if not hasattr(os, "sysconf") or not set(names) <= set(os.sysconf_names):
            return None
        return os.sysconf(names[0]) * os.sysconf(names[1])


def _of_group() -> int | None:
    try:
        most = (_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no control groups of the second kind here
        return None
    return max(0, int(most) - used) if most.isdigit() else None


def _shown(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
