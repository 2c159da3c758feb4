"""How much memory a process has, and a bound that the kernel keeps."""

import os
import resource
import sys
from pathlib import Path

from quotad.config import Config

CACHE_INCLUDED = 100_000
CACHE_MB = 200
"""What `worker_memory_max_mb` covers of `customer_cache_max`, and what as many more need."""

MB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


def memory_max_mb(config: Config) -> int:
    """Most memory of a worker, which grows with the customers that it may remember."""
    beyond = max(0, config.customer_cache_max - CACHE_INCLUDED)
    return config.worker_memory_max_mb + beyond * CACHE_MB // CACHE_INCLUDED


def rss_mb(pid: int) -> int:
    """Resident memory of a process; 0 where it cannot be read."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * _PAGE // MB


def bound_growth(more_mb: int) -> None:
    """Let allocations of this process fail that go further than so much above what it has now.

    The parent watches what is resident, ten times a second; this holds when it comes too late.
    Counted from now, because the address space of idle threads counts as well.
    """
    if sys.platform != "linux":
        return
    fields = Path("/proc/self/status").read_text().partition("VmData:")[2].split()
    limit = int(fields[0]) * 1024 + more_mb * MB
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
