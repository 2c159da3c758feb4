"""What a listener asks for, and positions."""

import re

import msgspec

from quotad.errors import InvalidRequest
from quotad.ids import check_id

_POSITION = re.compile("[0-9a-f]{1,12}")


class WantedChanges(msgspec.Struct, frozen=True):
    """What a listener is told of."""

    customer_id: str = ""
    """Empty: everybody's changes."""
    usage: bool = False
    """Whether of usage as well."""
    since_ms: int | None = None
    """From where on; None: from now on."""


def wanted_changes(customer_id: str, usage: bool, position: str) -> WantedChanges:
    """Return what is asked for.

    Args:
        customer_id: whose changes; empty: everybody's.
        usage: whether usage is watched, too.
        position: as a change had it; empty: from now on.

    Raises:
        InvalidRequest: names the field.
    """
    if customer_id:
        check_id(customer_id, "customer_id")
    return WantedChanges(customer_id, usage, _read_position(position))


def write_position(ms: int) -> str:
    """The position after everything that came before a time (Unix ms, by the store's clock).

    A position is no more than a time, so that it is as short for all shards as for one. It costs
    that what came shortly before may come twice.
    """
    return f"{ms:x}"


def _read_position(position: str) -> int | None:
    if not position:
        return None
    if _POSITION.fullmatch(position) is None:
        raise InvalidRequest(f"position: {position[:40]!r} is not one that this server gave")
    return int(position, 16)
