"""Whose doing a write is, as the history keeps it."""

from ipaddress import ip_address

from quotad.history import LOCAL, fit
from quotad.tokens.access import Access, host_of

UNKNOWN = "unknown"
"""From another machine, whose address the front does not have."""


def actor_of(access: Access, peer: str | None, local: bool = True) -> str:
    """Name the caller of a write: its token, or without tokens where it comes from.

    Args:
        access: of the caller.
        peer: its address with a port; None: a Unix socket, or not known.
        local: whether only this machine can call, where the address is not known.
    """
    return access.name or _place(peer, local)


def _place(peer: str | None, local: bool) -> str:
    if peer is None:
        return LOCAL if local else UNKNOWN
    host = host_of(peer).removeprefix("ipv4:").removeprefix("ipv6:").strip("[]")
    try:
        return LOCAL if ip_address(host).is_loopback else host
    except ValueError:
        return fit(host) or UNKNOWN
