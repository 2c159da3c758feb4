"""The nouns of holds and corrections: what is held and used of it, and what usage is set to."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from quotad.decision import ConsumeAllDecision

REASON_BYTES_MAX = 256
"""Longest reason or actor of a correction, in bytes of UTF-8."""


class HoldKind(IntEnum):
    """What becomes of a hold that ends before it is settled; stored."""

    RESERVATION = 0
    """It is given back."""
    LEASE = 1
    """It counts as used: what its holder has spent is not known."""


class HeldItem(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """So much of one feature; stored, so new fields go to the end and have defaults."""

    feature_id: str
    quantity: int
    resource_id: str = ""


class UsedItem(msgspec.Struct, frozen=True, gc=False):
    """What was used of one feature of a hold."""

    feature_id: str
    resource_id: str = ""
    quantity: int | None = None
    """None: all that is held."""


Used = int | Sequence[UsedItem] | None
"""What was used of a hold: of its only feature, or of some of several; None: all that is held."""


class SettledDecision(ConsumeAllDecision, frozen=True, gc=False):
    """The answer on a hold of several features."""

    held: tuple[HeldItem, ...] = ()
    """What the items are of."""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """What was really used of one limit in its current period."""

    customer_id: str
    feature_id: str
    used: int
    resource_id: str = ""
    per: str = ""
    """Its window, as a catalog spells it; `lifetime`: none. Empty: the only limit there is."""
    idempotency_key: str = ""
    idempotency_ttl_ms: int = 0
    """As of a `ConsumeRequest`."""


class Because(msgspec.Struct, frozen=True, gc=False):
    """Why usage is corrected, and whose doing it is."""

    reason: str = ""
    actor: str = ""
    """As the caller names it."""
    made_by: str = ""
    """Name of the caller's token; without tokens `local`, or its address."""

    def __bool__(self) -> bool:
        return bool(self.reason or self.actor)


class Correction(msgspec.Struct, frozen=True, omit_defaults=True):
    """A correction of what a customer has used; stored."""

    verb: str
    """`set`, `refund` or `rebuild`."""
    feature_id: str
    """Empty: all features that were taken together."""
    change: int
    """What it changed; negative: so much came back."""
    resource_id: str = ""
    reason: str = ""
    actor: str = ""
    """As the caller named it."""
    key: str = ""
    """The idempotency key; of a refund by key, that of what was undone."""
    id: str = ""
    """Sets those without a key apart."""
    made_by: str = ""
    """Name of the token that it was made with; without tokens `local`, or the caller's address."""
    corrected_ms: int = 0
    """Unix time; not stored, as a list is sorted by it."""
