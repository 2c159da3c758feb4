"""Slots: how much of a feature is in flight, held until it is released or ends by itself."""

import msgspec

from quotad.decision import ConsumeAllDecision, ConsumeAllRequest

SLOTS_MAX = 10_000
"""Slots of one feature that a customer, or one of its resources, may hold at once, unlimited ones
included."""

SLOT = "\x04"
"""Begins the key that a slot's record is kept under; no caller's key has it."""


class AcquireRequest(ConsumeAllRequest, frozen=True, gc=False):
    """May this customer have so much of this feature in flight, and use what comes with it?

    The first of `items` is the slot, of a feature of `kind: concurrency`; the others are counted
    with it, all or nothing. The idempotency key is SLOT and the id of the slot, its time to live
    from the end of the slot on.
    """

    ttl_ms: int = 60_000
    """When the slot ends, from now on."""

    @property
    def slot_id(self) -> str:
        """As its caller made it."""
        return self.idempotency_key.removeprefix(SLOT)


class Acquired(msgspec.Struct, frozen=True):
    """What an `AcquireRequest` is answered."""

    decision: ConsumeAllDecision
    ends_ms: int
    """Unix time; 0: no slot is held."""


class OpenSlot(msgspec.Struct, frozen=True, gc=False):
    """A slot that is held."""

    slot_id: str
    quantity: int
    ends_ms: int
    """Unix time."""
