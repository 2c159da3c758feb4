"""The nouns of holds, which are reservations and leases: what is held, and what was used of it."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from quotad.model import ConsumeAllDecision


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
