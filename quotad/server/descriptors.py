"""File descriptors: as many as the system allows, and how many of them clients may have."""

import logging
import resource

_log = logging.getLogger("quotad.server")

LIMIT_MAX = 1_048_576
"""Most that are asked for; "unlimited" in a container may be a billion, which costs memory."""

OWN = 160
"""What a worker needs for itself: interpreter, logs, connections to the store and spare ones, the
inner side of the front, catalogs and their checks."""

FEW = 512
"""Connections of clients, below which the log says how many a process can have."""


def raise_limit() -> int:
    """Raise the soft limit of this process to the hard one; returns what is in force then.

    Most systems start a process with 1,024, which a thousand idle clients use up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, LIMIT_MAX)
    if soft == resource.RLIM_INFINITY:
        return LIMIT_MAX
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def warn_if_few(limit: int) -> None:
    """Log a warning when a limit leaves room for few clients."""
    if room_for_clients(limit) < FEW:
        _log.warning(
            "the system allows this process %d file descriptors, enough for about %d connections"
            " of clients; raise it (ulimit -n, LimitNOFILE)",
            limit,
            room_for_clients(limit),
        )


def room_for_clients(limit: int) -> int:
    """How many connections of clients a limit leaves room for; at least one."""
    return max(1, limit - OWN)
