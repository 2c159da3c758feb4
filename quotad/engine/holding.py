"""What reservations are asked and have taken, item by item; and why they are refused."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from quotad.decision import ConsumeAllDecision, ConsumeRequest, Decision
from quotad.engine.memos import FINGERPRINT_LENGTH, read_parts
from quotad.engine.settlements import TakenHold, read_taken
from quotad.errors import Damaged, IdempotencyMismatch, InvalidRequest, NotOpen
from quotad.held import HeldItem, Used
from quotad.store.holds import FoundHold


def held_item(request: ConsumeRequest) -> HeldItem:
    """What a request is to hold."""
    return HeldItem(request.feature_id, request.quantity, request.resource_id)


def takes(answer: Decision) -> bool:
    """Whether a charge has taken something."""
    items = answer.items if isinstance(answer, ConsumeAllDecision) else (answer,)
    return any(item.granted for item in items)


def used_of(items: Sequence[HeldItem], used: Used) -> list[int]:
    """What was used of each item of a hold.

    Raises:
        InvalidRequest: it does not hold such a feature, or holds several.
    """
    if isinstance(used, int):
        if len(items) != 1:
            raise InvalidRequest(
                "quantity: the reservation holds several features; give what was used in items"
            )
        return [used]
    held = {(item.feature_id, item.resource_id): item.quantity for item in items}
    for place, one in enumerate(used or ()):
        name = (one.feature_id, one.resource_id)
        if name not in held:
            whose = f" of {one.resource_id!r}" if one.resource_id else ""
            raise InvalidRequest(
                f"items[{place}].feature_id: the reservation holds no {one.feature_id!r}{whose}"
            )
        if one.quantity is not None:
            held[name] = one.quantity
    return list(held.values())


def taken_of(found: FoundHold, hold_id: str) -> TakenHold:
    """What a reservation has taken.

    Raises:
        Damaged: it cannot be read.
    """
    taken = read_taken(found.taken)
    if taken is None:
        raise damaged(hold_id)
    return taken


def damaged(hold_id: str) -> Damaged:
    """What is kept of a reservation cannot be read."""
    return Damaged(f"what is kept of the reservation {hold_id!r} is damaged in the store")


def used_otherwise(hold_id: str) -> IdempotencyMismatch:
    """An id came back with other parameters."""
    return IdempotencyMismatch(
        f"reservation_id: {hold_id!r} was used before with another feature_id, quantity or"
        " resource_id; use a new id for a new reservation"
    )


def not_open(hold_id: str, found: FoundHold) -> NotOpen:
    """It is settled: by a commit, or by nothing, which a release and its end do alike."""
    what, taken = "settled", read_taken(found.taken)
    with suppress(msgspec.DecodeError, ValueError):
        settled = read_parts(found.settled[FINGERPRINT_LENGTH:].partition(b"|")[2])
        if taken is not None:
            pairs = zip(taken.items, settled.items, strict=True)
            used = any(item.quantity + change.quantity for item, change in pairs)
            what = "committed" if used else "released, or it has ended,"
    return NotOpen(f"reservation_id: {hold_id!r} is not open any more; it was {what} before")


def ended(hold_id: str) -> NotOpen:
    """It has ended, and perhaps has not come back yet."""
    return NotOpen(
        f"reservation_id: {hold_id!r} has ended, and what it held comes back; record what was used"
        " with MODE_ADJUST_ONLY"
    )
