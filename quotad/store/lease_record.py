"""What is stored of a lease, on the list of what a customer has on hold."""

import msgspec

LEASED = "\x04"
"""Begins the ids of leases on the list, and the keys that they are remembered under."""


class Lease(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is lent; stored, so new fields go to the end and have defaults.

    Begins as the `Hold` of a reservation: an earlier server takes one that has ended off the list
    and gives nothing back for it, which is right.
    """

    feature_id: str
    quantity: int
    """Lent and not reported as spent."""
    made_ms: int
    """Unix time of its latest renewal."""
    resource_id: str
    counters: tuple[str, ...]
    """Endings of its usage keys."""
    granted: int
    """In all, since it was acquired."""
    spent: int
    """In all, as reported."""
    sequence: int
    """Of its latest renewal; 0: it was not renewed."""
    wanted: int
    """By its latest renewal."""
    last: bool
    """Whether it ends with its period."""


read_lease = msgspec.msgpack.Decoder(Lease).decode
"""From its record; raises msgspec.DecodeError."""
