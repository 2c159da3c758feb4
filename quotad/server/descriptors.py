"""File descriptors: as many as the system allows, and how many of them clients may have."""

import logging
import resource

_log = logging.getLogger("quotad.server")

OWN = 160
"""What a worker needs for itself: interpreter, logs, connections to the store and spare ones, the
inner side of the front, catalogs and their checks."""

FEW = 512
"""Connections of clients, below which the log has how many a process can have."""


def set_limit(connections_max: int) -> int:
    """Set the soft limit of this process to room for its clients; returns what is in force.

    The native front cannot refuse connections, so there the limit is what bounds them: further ones
    wait to be accepted. Most systems start a process with 1,024, which idle clients use up.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OWN + connections_max
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def warn_if_few(limit: int, connections_max: int) -> None:
    """Log a warning when a limit leaves room for few clients, and for fewer than are wanted."""
    if room_for_clients(limit) < min(FEW, connections_max):
        _log.warning(
            "the system allows this process %d file descriptors, enough for about %d connections"
            " of clients; raise it (ulimit -n, LimitNOFILE)",
            limit,
            room_for_clients(limit),
        )


def room_for_clients(limit: int) -> int:
    """How many connections of clients a limit leaves room for; at least one."""
    return max(1, limit - OWN)
