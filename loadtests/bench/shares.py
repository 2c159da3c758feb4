"""Gives each process a share of a core, so that a small machine can tell how workers scale.

On two cores, server, store and generator get in each other's way long before two workers have a
core each. Workers that are held at a third of a core have free ones beside them: what the second
brings is then what it would bring on a larger machine. By the kernel's control groups, version 1 or
2, which takes the rights to make one.

The interfaces: https://docs.kernel.org/scheduler/sched-bwc.html and
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Where groups with a share of the CPU can be made: version 1, version 2."""
PERIOD_US = 10_000
"""Short, so that a worker which has used its share stands still for milliseconds only."""
MISSING = "no rights to make control groups; workers with a share of a core are left out"


def is_possible() -> bool:
    """Whether this process may make such groups."""
    return _root() is not None


def _root() -> Path | None:
    for root in ROOTS:
        v1, v2 = root / "cpu.cfs_quota_us", root / "cgroup.subtree_control"
        knows = v1.exists() or (v2.exists() and "cpu" in v2.read_text().split())
        # The root of version 1 has no quota of its own; its children do.
        if (knows or (root / "cpu.shares").exists()) and os.access(root, os.W_OK):
            return root
    return None


@contextmanager
def held(pids: Iterable[int], cores: float, period_us: int = PERIOD_US) -> Iterator[None]:
    """Hold each of these processes at so much of a core; they must have ended when this does.

    Args:
        pids: which.
        cores: how much of a core.
        period_us: of the kernel's accounting, in which it gives out no less than a millisecond.

    Raises:
        OSError: the kernel refuses.
    """
    root = _root()
    if root is None:
        raise OSError(MISSING)
    quota_us = int(cores * period_us)
    with ExitStack() as made:
        for pid in pids:
            group = root / f"quotad-bench-{pid}"
            group.mkdir()
            made.callback(group.rmdir)
            # Other work on the machine is not to hold it any further: weights are the largest.
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{quota_us} {period_us}")
                (group / "cpu.weight").write_text("10000")
            else:
                (group / "cpu.shares").write_text("262144")
                (group / "cpu.cfs_period_us").write_text(str(period_us))
                (group / "cpu.cfs_quota_us").write_text(str(quota_us))
            (group / "cgroup.procs").write_text(str(pid))
        yield
